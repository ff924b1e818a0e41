"""Images and labels in .npz archives of numpy."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from images.data.idx import Array, Split
from refine_core.errors import InputError


def npz_splits(path: Path) -> list[Split]:
    """Read x_train, y_train, x_test, y_test, or images, labels; labels may be left out.

    Raises:
        InputError: It is not an npz archive, it holds Python objects, or it has other keys.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path} is not an npz archive of plain arrays ({error}); write it with numpy.savez."
        ) from None
    pairs = [("x_train", "y_train"), ("x_test", "y_test")]
    if "x_train" not in arrays and "images" in arrays:
        pairs = [("images", "labels")]
    if any(images not in arrays for images, _ in pairs):
        raise InputError(
            f"{path} has the keys {', '.join(sorted(arrays))}; expected x_train, y_train, x_test "
            "and y_test, or images and labels."
        )
    return [(_channels_first(arrays[x], path), arrays.get(y)) for x, y in pairs]


def _channels_first(images: Array, path: Path) -> Array:
    """Return images as (n, c, h, w), taking the shorter of the two possible axes for c."""
    if images.dtype.kind not in "biuf":
        raise InputError(f"{path} has images of type {images.dtype}; expected numbers.")
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise InputError(
            f"{path} has images of shape {images.shape}; expected (n, h, w), (n, c, h, w) or "
            "(n, h, w, c) without an empty axis."
        )
    if images.ndim == 3:
        return images[:, None]
    if images.shape[1] == images.shape[3]:
        raise InputError(
            f"{path} has images of shape {images.shape}, where the channels may be the second or "
            "the last axis; leave the axis out for a single channel."
        )
    return images if images.shape[1] < images.shape[3] else np.moveaxis(images, 3, 1)
