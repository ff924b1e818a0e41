"""The molecules of QM9 (Ramakrishnan, Dral, Rupp and von Lilienfeld 2014), without a website.

The package index carries them inside an archive by the first author: 130,831 molecules, those of
the published 133,885 whose geometry is consistent, each with a SMILES and 21 properties.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from refine_core.storage.archive import Archive

MEMBERS = [f"qm9pack/data/qm9_part{part}.csv" for part in (1, 2, 3)]
TENSORS = "qm9pack/data/qm9_polarizability.csv"
FILE = "qm9.csv"
FILE_SHA256 = "cc07e72cceb17b8a17927b4305796bc30ef71bfb43cb12e0cbaed9dc4be92294"
KEY, SMILES = "XYZ_file", "SMILES"

# Short names as PyTorch Geometric and the benchmarks use them, and units.
PROPERTIES = {
    "A": "RotA_GHz",
    "B": "RotB_GHz",
    "C": "RotC_GHz",
    "mu": "Dipole_debye",
    "alpha": "Polarizability_bohr3",
    "homo": "HOMO_au",
    "lumo": "LUMO_au",
    "gap": "HOMO_LUMO_gap_au",
    "r2": "R2_bohr2",
    "zpve": "ZPVE_au",
    "U0": "InternalEnergy_0K_au",
    "U": "InternalEnergy_298K_au",
    "H": "Enthalphy_298K_au",
    "G": "GibbsFreeEnergy_298K_au",
    "Cv": "Heatcapacity_Cv_cal_mol_K",
}
TENSOR = {f"alpha_{name}": f"A_{name}" for name in ("xx", "xy", "yy", "xz", "yz", "zz")}


def qm9_file(cache: Path | None = None) -> Path:
    """Return a CSV file with the columns `smiles`, `PROPERTIES` and `TENSOR`, fetched once.

    Energies are in hartree, the dipole `mu` in debye, `alpha` and its tensor in bohr^3, `r2` in
    bohr^2, `Cv` in cal/(mol K), the rotational constants `A`, `B`, `C` in GHz.

    Raises:
        InputError: The file is not there and the package index cannot be reached.
    """
    archive = Archive(
        name="QM9",
        requirement="qm9pack==1.0.3",
        sha256="1d88c2988007c6778e717ee3224cf511bd60e10732ebe3b7ed500ea5af05c9f0",
        size="104 MB",
        files={FILE: FILE_SHA256},
        remedy="connect once, or give the path of a .csv, .smi or .sdf file with its molecules",
        unpack=_unpack,
    )
    return archive.folder(cache) / FILE


def _unpack(archive: Path, folder: Path) -> None:
    """Write the columns in use, of all parts, in their published order."""
    with zipfile.ZipFile(archive) as files, (folder / FILE).open("w", newline="") as output:
        tensors = {row[KEY]: row for row in _rows(files, TENSORS)}
        writer = csv.writer(output, lineterminator="\n")
        writer.writerow(["smiles", *PROPERTIES, *TENSOR])
        for member in MEMBERS:
            for row in _rows(files, member):
                values = [row[column] for column in PROPERTIES.values()]
                tensor = [tensors[row[KEY]][column] for column in TENSOR.values()]
                writer.writerow([row[SMILES], *values, *tensor])


def _rows(files: zipfile.ZipFile, member: str) -> Iterator[dict[str, str]]:
    """Read a CSV file inside an archive."""
    with files.open(member) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as text:
        yield from csv.DictReader(text)
