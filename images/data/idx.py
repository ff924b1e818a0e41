"""IDX, the format in which MNIST and its descendants are published."""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError

Array: TypeAlias = NDArray[np.generic]
"""Numbers of any type."""

Split: TypeAlias = tuple[Array, Array | None]
"""Images (n, c, h, w) as stored, and labels that should be class numbers (n,), or None.

Every reader returns one or two splits: training and test, or one that is still to be divided.
"""

IDX_IMAGES = re.compile(r"(?!\.).*images[-.]idx3-ubyte(\.gz)?")


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped if its name ends in `.gz`.

    The file holds two zero bytes, the type 8, the number of axes, the length of each axis as a
    big-endian 32-bit number, then the values.

    Raises:
        InputError: It is not such a file, or it is cut short.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is a damaged gzip file ({error}); fetch it again.") from None
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise InputError(
            f"{path} begins with the bytes {raw[:3].hex(' ')}, and an IDX file of unsigned bytes "
            "with 00 00 08; give such a file, an .npz archive or a folder."
        )
    header = 4 + 4 * raw[3]
    shape = struct.unpack(f">{raw[3]}I", raw[4:header]) if len(raw) >= header else (0,)
    if len(raw) != header + math.prod(shape) or 0 in shape:
        raise InputError(
            f"{path} has {len(raw):,} bytes and its header announces "
            f"{header + math.prod(shape):,} for the shape {shape}; fetch it again."
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write unsigned bytes in the format that `read_idx` reads."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


def idx_files(folder: Path) -> list[Path]:
    """Files of images in a folder that are named like those of MNIST."""
    return [file for file in sorted(folder.iterdir()) if IDX_IMAGES.fullmatch(file.name)]


def idx_splits(path: Path) -> list[Split]:
    """Read the IDX files of a folder, or one file of images and the labels beside it.

    Raises:
        InputError: It is not clear which file is the training set, or a file cannot be read.
    """
    files = [path] if path.is_file() else idx_files(path)
    files.sort(key=lambda file: "train" not in file.name)
    if len(files) > 2 or (len(files) == 2 and ["train" in file.name for file in files] != [1, 0]):
        raise InputError(
            f"{path} holds the images {', '.join(file.name for file in files)}; expected one file "
            "called train-images-idx3-ubyte and one called t10k-images-idx3-ubyte."
        )
    return [_idx_pair(file) for file in files]


def _idx_pair(file: Path) -> Split:
    """Read a file of images and, where it exists, the file of labels that belongs to it."""
    name = file.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    beside = [file.with_name(name), file.with_name(f"{name}.gz")]
    labels = next((read_idx(other) for other in beside if other.is_file() and other != file), None)
    images = read_idx(file)
    if images.ndim != 3:
        raise InputError(f"{file} has the shape {images.shape}; expected (images, height, width).")
    return images[:, None], labels
