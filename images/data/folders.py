"""Folders of PNG or JPEG files, flat or with a sub-folder for each class."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from images.data.idx import Split
from refine_core.errors import InputError

PICTURES = {".png", ".jpg", ".jpeg"}
MODES = {"1": "L", "P": "RGB", "L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA"}


def picture_splits(folder: Path) -> list[Split]:
    """Read PNG or JPEG files: a sub-folder for each class, or flat and without labels.

    Sub-folders called exactly `train` and `test` are two splits. Classes are numbered in the order
    of their names, in which 2 comes before 10.

    Raises:
        InputError: No picture is found, one cannot be read, or their sizes or channels differ.
    """
    inside = _visible(folder, Path.is_dir)
    roots = [folder / "train", folder / "test"] if inside.keys() == {"train", "test"} else [folder]
    classes = {name: None for root in roots for name in _visible(root, Path.is_dir)}
    return [_pictures(root, sorted(classes, key=_natural)) for root in roots]


def _pictures(root: Path, classes: list[str]) -> Split:
    """Read the pictures of every class in order, or those of `root` where there are no classes."""
    loose = list(_visible(root, _is_picture).values())
    inside = [list(_visible(root / name, _is_picture).values()) for name in classes]
    files = loose + [file for group in inside for file in group]
    if not files or (loose and classes):
        found = "both loose pictures and folders" if files else "no PNG or JPEG picture"
        raise InputError(
            f"{root} holds {found}; expected pictures, or one folder of pictures for each class, "
            "or IDX files with the names of MNIST's."
        )
    arrays = [_picture(file) for file in files]
    for file, array in zip(files, arrays, strict=True):
        if array.shape != arrays[0].shape:
            raise InputError(
                f"{file} has the height, width and channels {array.shape} where {files[0]} has "
                f"{arrays[0].shape}; give all pictures one size and one number of channels."
            )
    labels = np.repeat(np.arange(len(classes)), [len(group) for group in inside])
    return np.stack(arrays).transpose(0, 3, 1, 2), labels if classes else None


def _picture(file: Path) -> NDArray[np.uint8]:
    """Read one picture as (h, w, c)."""
    try:
        from PIL import Image
    except ImportError:
        raise InputError("reading pictures needs Pillow: pip install 'refine[images]'.") from None
    try:
        with Image.open(file) as picture:
            mode = MODES.get(picture.mode)
            pixels = np.asarray(picture.convert(mode))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} cannot be read as a picture ({error}).") from None
    if mode is None:
        raise InputError(
            f"{file} has the colour mode {picture.mode}; expected 8-bit grey or RGB, with or "
            "without alpha."
        )
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _visible(folder: Path, wanted: Callable[[Path], bool]) -> dict[str, Path]:
    """Files or folders of one kind inside a folder, in natural order; none if it is absent."""
    inside = folder.iterdir() if folder.is_dir() else ()
    found = [path for path in inside if wanted(path) and not path.name.startswith(".")]
    return {path.name: path for path in sorted(found, key=lambda path: _natural(path.name))}


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key under which 2 comes before 10."""
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", name)]
