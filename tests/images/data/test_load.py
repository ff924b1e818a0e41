"""Images by path: every layout says the same."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from images.data.load import read_images
from images.data.mnist_archive import FILES_SHA256
from tests.images.data.files import (
    TEST_IMAGES,
    Array,
    pixels,
    save_pictures,
    write_folder,
)


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
