"""The molecules of MOSES (Polykovskiy et al. 2020), without a website.

The package index carries them inside the benchmark's own archive: 1,584,663 to train on, 176,074
to test on, and 176,225 whose scaffolds are not among the training set's.
"""

import csv
import os
import zipfile
from pathlib import Path

from refine_core.storage.archive import Archive

MEMBERS = "moses/dataset/data"
FILTERS = "mcf.csv"
FILES_SHA256 = {
    "train.csv.gz": "786f0313aa6b9ba5514df685f885742a70ea8d86f1a4fa48115f7f80a634265c",
    "test.csv.gz": "f896fbf3764f88d94670b9959e5872c600c12152a18233823e820761b7a791b2",
    "test_scaffolds.csv.gz": "adffb2192c1bfe31ab0e13154d4af19a37dc18bdbf3cd7b4491e04405128adde",
    FILTERS: "f4a2bfacb4cb8877295eb2a4b4e61ec9770a26388f1331e5dc9c193d22dd5f89",
}


def moses_folder(cache: Path | None = None) -> Path:
    """Return a folder holding `train`, `test` and `test_scaffolds` `.csv.gz`, fetched once.

    Beside them lie the benchmark's medicinal chemistry filters, `mcf.csv`.

    Raises:
        InputError: The files are not there and the package index cannot be reached.
    """
    return Archive(
        name="MOSES",
        requirement="molsets==0.3.1",
        sha256="7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34",
        size="52 MB",
        files=FILES_SHA256,
        remedy="connect once, or give the path of a .csv, .smi or .sdf file with its molecules",
        unpack=_unpack,
    ).folder(cache)


def moses_filters(cache: Path | None = None) -> list[str]:
    """Return the SMARTS of the filters, for `graphs.metrics.molecules.evaluate_molecules`."""
    with (moses_folder(cache) / FILTERS).open(newline="") as file:
        return [row["smarts"] for row in csv.DictReader(file)]


def _unpack(archive: Path, folder: Path) -> None:
    """Copy the files as they are."""
    with zipfile.ZipFile(archive) as files:
        for name in FILES_SHA256:
            inside = "moses/metrics" if name == FILTERS else MEMBERS
            os.replace(files.extract(f"{inside}/{name}", folder), folder / name)
