"""Labelled images: MNIST by name, one's own by path.

Whatever the source, the result is `Images`. Pixels are float32 in [0, 1]; a byte k becomes
k / 255 exactly, so `(pixels * 255).round()` gives the bytes back.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from images.data.folders import picture_splits
from images.data.idx import Array, Split, idx_files, idx_splits
from images.data.mnist_archive import mnist_folder
from images.data.npz import npz_splits
from refine_core.errors import InputError

MOST_CLASSES = 10_000
"""Class numbers from here on are refused where there are fewer images than classes."""


@dataclass(frozen=True)
class LabelledImages:
    """Images with or without their classes.

    Attributes:
        images: (n, c, h, w) float32 in [0, 1].
        labels: (n,) int64 in 0..classes-1, or None.

    >>> import torch
    >>> import images
    >>> some = images.LabelledImages(torch.rand(10, 3, 32, 32), torch.arange(10) % 2)
    >>> len(some), some[:4].labels.tolist()
    (10, [0, 1, 0, 1])
    """

    images: Tensor
    labels: Tensor | None

    def __len__(self) -> int:
        """Count of images."""
        return len(self.images)

    def __getitem__(self, part: slice | Tensor) -> "LabelledImages":
        """Some of the images, with their labels."""
        labels = None if self.labels is None else self.labels[part]
        return LabelledImages(self.images[part], labels)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Images, and labels if there are any."""
        return tuple(each.numpy() for each in (self.images, self.labels) if each is not None)

    def __reduce__(self) -> tuple[object, ...]:
        """Arrays travel to other processes, for shared memory, of tensors, is often too small."""
        return _labelled, self.arrays


def _labelled(images: Array, labels: Array | None = None) -> LabelledImages:
    return LabelledImages(
        torch.from_numpy(images), None if labels is None else torch.from_numpy(labels)
    )


@dataclass(frozen=True)
class Images:
    """A training and a test set of images that share their shape.

    Attributes:
        train: Images that models are trained on.
        test: Images that models are evaluated on.
        classes: The number of classes, 0 where there are no labels.

    >>> import torch
    >>> import images
    >>> train = images.LabelledImages(torch.rand(10, 3, 32, 32), torch.arange(10) % 2)
    >>> both = images.Images(train, train[:4], classes=2)
    >>> both.shape, len(both.test)
    ((3, 32, 32), 4)
    """

    train: LabelledImages
    test: LabelledImages
    classes: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(c, h, w) of every image."""
        _, c, h, w = self.train.images.shape
        return c, h, w

    def split(self, holdout: int) -> "tuple[Images, LabelledImages]":
        """The same without the last `holdout` training images, and these.

        Raises:
            InputError: No training image would be left.
        """
        if not 0 <= holdout < len(self.train):
            raise InputError(
                f"Found `holdout` {holdout} for {len(self.train)} training images, expected fewer."
            )
        if not holdout:
            return self, self.train[:0]
        return replace(self, train=self.train[:-holdout]), self.train[-holdout:]


def mnist(cache: Path | None = None) -> Images:
    """The 60,000 training and 10,000 test digits of MNIST, in their published order.

    Args:
        cache: Folder for the files; by default `refine_core.storage.archive.default_cache()`.

    Raises:
        InputError: They are not in the cache and the package index cannot be reached.

    >>> import images
    >>> digits = images.mnist()  # downloaded once                        # doctest: +SKIP
    >>> digits.train.images.shape, digits.classes                         # doctest: +SKIP
    (torch.Size([60000, 1, 28, 28]), 10)
    """
    return read_images(mnist_folder(cache))


def read_images(path: str | Path, seed: int = 0) -> Images:
    """Read images of any size and number of channels.

    `path` is one of

    - a folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same for `t10k`,
      gzipped or not;
    - one IDX file of images, with its labels, if any, beside it under the matching name;
    - an `.npz` archive with x_train, y_train, x_test, y_test, or images, labels. Arrays are
      (n, h, w), (n, c, h, w) or (n, h, w, c), where the channel axis is the shorter one; whole
      numbers count 0..255, fractions 0..1 or 0..255;
    - a folder of PNG or JPEG files, flat or with a sub-folder for each class, perhaps under
      `train` and `test`.

    Where there is no test set, a tenth of the images, chosen with `seed`, becomes the test set.

    Raises:
        InputError: There is nothing at `path`, it is damaged, or its values, shapes or labels are
            not consistent.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import images
    >>> pixels = np.random.default_rng(0).integers(256, size=(20, 32, 32, 3), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "mine.npz"), images=pixels, labels=np.arange(20) % 2)
    ...     found = images.read_images(Path(folder, "mine.npz"))
    >>> found.shape, found.classes, len(found.train), len(found.test)
    ((3, 32, 32), 2, 18, 2)
    """
    path = Path(path)
    if not path.exists():
        raise InputError(
            f"{path} does not exist; give an IDX file, an .npz archive or a folder of images."
        )
    if path.suffix == ".npz":
        splits = npz_splits(path)
    elif path.is_file() or idx_files(path):
        splits = idx_splits(path)
    else:
        splits = picture_splits(path)
    for images, labels in splits:
        _check_labels(images, labels, path)
    train, test = splits if len(splits) == 2 else _divide(*splits[0], path, seed)
    return _assemble(train, test, path)


def _assemble(train: Split, test: Split, path: Path) -> Images:
    """Turn arrays into tensors that agree on shape, scale and classes."""
    (train_images, train_labels), (test_images, test_labels) = train, test
    if train_images.shape[1:] != test_images.shape[1:]:
        raise InputError(
            f"{path} has training images of (channels, height, width) {train_images.shape[1:]} "
            f"and test images of {test_images.shape[1:]}; make them equal."
        )
    if (train_labels is None) != (test_labels is None):
        raise InputError(f"{path} has labels for only one of training and test; give both.")
    white = _white(train_images, test_images, path)
    parts = [LabelledImages(*_tensors(*split, white)) for split in (train, test)]
    largest = max(
        (int(part.labels.max()) for part in parts if part.labels is not None), default=-1
    )
    count = len(parts[0]) + len(parts[1])
    if largest >= max(count, MOST_CLASSES):
        raise InputError(
            f"{path} has the label {largest} among {count} images; number the classes from 0."
        )
    return Images(parts[0], parts[1], classes=largest + 1)


def _tensors(images: Array, labels: Array | None, white: float) -> tuple[Tensor, Tensor | None]:
    pixels = torch.from_numpy(np.ascontiguousarray(images).astype(np.float32)).div_(white)
    return pixels, None if labels is None else torch.from_numpy(labels.astype(np.int64))


def _white(train: Array, test: Array, path: Path) -> float:
    """Check the range of all values, and return the stored value of white."""
    values = np.array([[array.min(), array.max()] for array in (train, test)], dtype=float)
    if not np.isfinite(values).all():
        raise InputError(f"{path} holds pixels that are not finite; repair or remove them.")
    low, high = values.min(), values.max()
    whole = {array.dtype.kind in "iu" for array in (train, test)}
    # A fraction a little over 1 is an overshoot of 0..1, and would be nearly black in 0..255.
    if low < 0 or high > 255 or len(whole) == 2 or (1 < high < 2 and whole == {False}):
        raise InputError(
            f"{path} holds pixels from {low:g} to {high:g}; expected whole numbers 0..255, or "
            "fractions 0..1 or 0..255, the same for training and test."
        )
    if high == 1 and whole == {True}:
        raise InputError(
            f"{path} holds only the whole numbers 0 and 1, where whole numbers count 0..255; "
            "store them as float or bool."
        )
    return 255.0 if high > 1 or whole == {True} else 1.0


def _check_labels(images: Array, labels: Array | None, path: Path) -> None:
    """Refuse labels that are not class numbers, one for each image."""
    if labels is None:
        return
    if labels.shape != images.shape[:1]:
        raise InputError(
            f"{path} has {len(images)} images and labels of shape {labels.shape}; expected one "
            "class number for each image."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise InputError(
            f"{path} has labels such as {labels[0]!s} of type {labels.dtype}; expected whole "
            "numbers, none negative."
        )


def _divide(images: Array, labels: Array | None, path: Path, seed: int) -> tuple[Split, Split]:
    """Choose a tenth of the images, at least one, as the test set; both keep the stored order."""
    if len(images) < 2:
        raise InputError(f"{path} holds one image; training and test need at least one each.")
    chosen = np.random.default_rng(seed).permutation(len(images)) < max(1, len(images) // 10)
    train, test = (
        (images[mask], None if labels is None else labels[mask]) for mask in (~chosen, chosen)
    )
    return train, test
