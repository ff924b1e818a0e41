"""Images that cannot be used get a sentence."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from images.data.idx import write_idx
from images.data.load import read_images
from refine_core.errors import InputError
from tests.images.data.files import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    Array,
    pixels,
    save_pictures,
    write_folder,
)


def own(folder: Path, **arrays: Array) -> Path:
    np.savez(folder / "own.npz", **arrays)  # type: ignore[arg-type]
    return folder / "own.npz"


GOOD = pixels(20, 4, 4)
HALF = GOOD / 255.0


def with_value(value: float) -> Array:
    broken = HALF.copy()
    broken[3, 1, 2] = value
    return broken


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"images": with_value(np.nan)}, "not finite"),
        ({"images": with_value(np.inf)}, "not finite"),
        ({"images": with_value(-0.5)}, "from -0.5 to 1"),
        ({"images": with_value(300)}, "from 0 to 300"),
        ({"images": with_value(1.01)}, "from 0 to 1.01"),
        ({"images": GOOD > 99, "labels": np.arange(20.0)}, "labels such as 0.0 of type float64"),
        ({"images": (GOOD > 99).astype(np.uint8)}, "only the whole numbers 0 and 1"),
        ({"images": GOOD.astype(str)}, "expected numbers"),
        ({"images": GOOD[0]}, r"shape \(4, 4\)"),
        ({"images": GOOD[:0]}, "without an empty axis"),
        ({"images": GOOD[:1]}, "holds one image"),
        ({"images": GOOD.reshape(5, 4, 4, 4)}, "second or the last axis"),
        ({"images": GOOD, "labels": np.arange(19)}, r"20 images and labels of shape \(19,\)"),
        ({"images": GOOD, "labels": np.arange(20) - 1}, "such as -1"),
        ({"images": GOOD, "labels": np.array(["a"] * 20)}, "such as a"),
        ({"pictures": GOOD}, "has the keys pictures"),
        ({"x_train": GOOD}, "has the keys x_train"),
        ({"x_train": GOOD, "x_test": GOOD[:, :3]}, r"\(1, 4, 4\) and test images of \(1, 3, 4\)"),
        ({"x_train": GOOD, "x_test": HALF}, "the same for training and test"),
        ({"x_train": GOOD, "x_test": GOOD, "y_test": np.arange(20)}, "only one of training"),
        ({"images": np.array([None, "x"])}, "not an npz archive of plain arrays"),
    ],
)
def test_wrong_arrays(tmp_path: Path, arrays: dict[str, Array], sentence: str) -> None:
    path = own(tmp_path, **arrays)
    with pytest.raises(InputError, match=sentence) as error:
        read_images(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_wrong_files(tmp_path: Path) -> None:
    def refused(path: Path, sentence: str) -> None:
        with pytest.raises(InputError, match=sentence) as error:
            read_images(path)
        assert str(tmp_path) in str(error.value)

    refused(tmp_path / "nowhere", "does not exist")
    refused(tmp_path, "no PNG or JPEG picture")
    (tmp_path / "text.npz").write_text("hello")
    refused(tmp_path / "text.npz", "not an npz archive")
    (tmp_path / "text").write_text("hello")
    refused(tmp_path / "text", "begins with the bytes 68 65 6c")
    for name in ("a-images-idx3-ubyte", "b-images-idx3-ubyte"):
        write_idx(tmp_path / name, GOOD)
    refused(tmp_path, "a-images-idx3-ubyte, b-images-idx3-ubyte; expected")


@pytest.mark.parametrize("keep", [3, 9, 100, -1])
def test_truncated_idx(tmp_path: Path, keep: int) -> None:
    write_folder(tmp_path, GOOD, GOOD)
    path = tmp_path / TRAIN_IMAGES
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=TRAIN_IMAGES):
        read_images(tmp_path)
    zipped = tmp_path / "train-images-idx3-ubyte.gz"
    zipped.write_bytes(gzip.compress(bytes(1000))[:keep])
    with pytest.raises(InputError, match=r"ubyte\.gz"):
        read_images(zipped)


def test_idx_label_count_and_shape(tmp_path: Path) -> None:
    write_folder(tmp_path, GOOD, GOOD)
    write_idx(tmp_path / TEST_LABELS, np.zeros(19, np.uint8))
    with pytest.raises(InputError, match="20 images and labels of shape"):
        read_images(tmp_path)
    write_idx(tmp_path / TEST_IMAGES, np.zeros(19, np.uint8))
    with pytest.raises(InputError, match=r"shape \(19,\); expected \(images, height, width\)"):
        read_images(tmp_path)


def test_wrong_pictures(tmp_path: Path) -> None:
    save_pictures(tmp_path / "a", pixels(3, 5, 5))
    save_pictures(tmp_path / "b", pixels(3, 5, 6))
    with pytest.raises(InputError, match=r"b/0\.png has the height, width and channels \(5, 6, 1"):
        read_images(tmp_path)
    save_pictures(tmp_path / "a", pixels(1, 5, 5).astype(np.uint16))
    with pytest.raises(InputError, match=r"a/0\.png has the colour mode I;16"):
        read_images(tmp_path / "a")
    (tmp_path / "a" / "0.png").write_bytes((tmp_path / "a" / "1.png").read_bytes()[:60])
    with pytest.raises(InputError, match=r"a/0\.png cannot be read as a picture"):
        read_images(tmp_path / "a")
    save_pictures(tmp_path, pixels(1, 5, 5))
    with pytest.raises(InputError, match="both loose pictures and folders"):
        read_images(tmp_path)
