"""Images of one's own, to test reading with."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from images.data.idx import write_idx
from images.data.mnist_archive import FILES_SHA256

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


def save_pictures(folder: Path, arrays: Array, suffix: str = "png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, array in enumerate(arrays):
        Image.fromarray(array).save(folder / f"{number}.{suffix}")
