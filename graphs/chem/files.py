"""Files of molecules: .smi, .csv and .sdf."""

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdDepictor, rdDistGeom
from rdkit.rdBase import BlockLogs

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write, write_text

SUFFIXES = (".smi", ".csv", ".sdf")
Columns = Mapping[str, NDArray[np.float32]]

log = logging.getLogger(__name__)


def write_molecules(
    smiles: Sequence[str],
    path: str | Path,
    properties: Columns | None = None,
    *,
    coordinates: Literal["2d", "3d"] = "2d",
    seed: int = 0,
) -> None:
    """Write molecules as .smi, .csv with properties, or .sdf with properties and coordinates.

    Args:
        smiles: n molecules.
        path: The file; its suffix is that of the format.
        properties: (n,) numbers by name.
        coordinates: In .sdf files: those of a flat drawing, or of a conformer with hydrogens
            (ETKDG version 3, Wang et al. 2020). Molecules that it cannot embed are flat, with a
            warning.
        seed: Seed of the conformers.

    Raises:
        InputError: The suffix is another, or for .sdf a molecule cannot be read.
    """
    path, properties = Path(path), properties or {}
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(SUFFIXES)}."
        )
    if suffix == ".smi":
        write_text(path, "".join(f"{text}\n" for text in smiles))
    elif suffix == ".csv":
        write_text(path, _csv(smiles, properties))
    else:
        _write_sdf(smiles, path, properties, coordinates == "3d", seed)


def _csv(smiles: Sequence[str], properties: Columns) -> str:
    """Text of a CSV file with the column `smiles` and the properties."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["smiles", *properties])
    columns = [[f"{value:g}" for value in column] for column in properties.values()]
    writer.writerows(zip(smiles, *columns, strict=True))
    return text.getvalue()


def _write_sdf(
    smiles: Sequence[str], path: Path, properties: Columns, conformers: bool, seed: int
) -> None:
    """Write mol blocks, the SMILES as their titles."""
    flat = 0
    with (
        atomic_write(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
        BlockLogs(),
    ):
        for place, text in enumerate(smiles):
            if (molecule := Chem.MolFromSmiles(text)) is None:
                raise InputError(f"{text!r} is not a molecule; leave it out.")
            embedded = _embedded(molecule, seed) if conformers else None
            flat += embedded is None
            molecule = embedded or molecule
            if embedded is None:
                rdDepictor.Compute2DCoords(molecule)
            molecule.SetProp("_Name", text)
            for name, column in properties.items():
                molecule.SetProp(name, f"{column[place]:g}")
            # RDKit's own writer does not report a full disk.
            file.write(Chem.SDWriter.GetText(molecule, molid=place))
    if conformers and flat:
        log.warning("%s: no conformer was found for %d of %d molecules", path, flat, len(smiles))


def _embedded(molecule: Chem.Mol, seed: int) -> Chem.Mol | None:
    """A molecule with hydrogens and a conformer; None where none is found."""
    explicit = Chem.AddHs(molecule)
    parameters = rdDistGeom.ETKDGv3()
    # RDKit treats the seeds 0 and 1 alike.
    parameters.randomSeed = seed % (2**31 - 2) + 1  # type: ignore[assignment]
    parameters.maxIterations = 50  # type: ignore[assignment]
    return explicit if rdDistGeom.EmbedMolecule(explicit, parameters) == 0 else None
