"""What `make gpu` reads on a machine without a network: MNIST, QM9, and the package's metadata.

`make gpu-data` writes it to a folder that git ignores, of 21 MB, to be copied with the repository.
Weather is trained on the bundled sample there, and MOSES is left out.
"""

import gzip
import os
from importlib.metadata import distribution
from pathlib import Path

from graphs.datasets.qm9 import qm9_file
from images.data.mnist_archive import FILES_SHA256, mnist_folder
from refine_core.storage.files import atomic_write, write_text

FOLDER = Path("runs/gpu-data")


def pack(folder: Path = FOLDER) -> int:
    """Compress the data into a folder; return its size in bytes."""
    mnist = mnist_folder()
    for source in (*(mnist / name for name in FILES_SHA256), qm9_file()):
        with atomic_write(folder / source.parent.name / f"{source.name}.gz") as path:
            path.write_bytes(gzip.compress(source.read_bytes(), mtime=0))
    found = distribution("refine")
    for name in ("METADATA", "entry_points.txt"):  # where nothing can be installed
        text = found.read_text(name)
        write_text(folder / f"refine-{found.version}.dist-info" / name, text or "")
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def use(folder: Path = FOLDER) -> None:
    """Unpack the data into a folder beside it and let all read them, unless a cache is named."""
    if "REFINE_CACHE" in os.environ or not folder.exists():
        return
    cache = folder.resolve().with_name(f"{folder.name}-unpacked")
    for source in folder.glob("*/*.gz"):
        if not (whole := cache / source.parent.name / source.stem).exists():
            with atomic_write(whole) as path:
                path.write_bytes(gzip.decompress(source.read_bytes()))
    os.environ["REFINE_CACHE"] = str(cache)


if __name__ == "__main__":
    print(f"{FOLDER}: {pack() / 1e6:.0f} MB")
