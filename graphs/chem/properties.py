"""Properties of molecules that RDKit computes, by name."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import QED, Descriptors, rdMolDescriptors
from rdkit.rdBase import BlockLogs

from refine_core.errors import InputError, suggest

_crippen = rdMolDescriptors.CalcCrippenDescriptors


def _sa(molecule: Chem.Mol) -> float:
    """Synthetic accessibility; its large table is read on first use."""
    from rdkit.Contrib.SA_Score import sascorer

    return float(sascorer.calculateScore(molecule))


PROPERTIES: dict[str, Callable[[Chem.Mol], float]] = {
    "logp": lambda molecule: _crippen(molecule)[0],  # Wildman and Crippen 1999
    "qed": QED.qed,  # drug-likeness in 0..1, Bickerton et al. 2012
    "sa": _sa,  # synthetic accessibility, 1 easy .. 10 hard, Ertl and Schuffenhauer 2009
    "weight": Descriptors.MolWt,  # type: ignore[attr-defined]  # g/mol
    "tpsa": rdMolDescriptors.CalcTPSA,  # square angstrom
    "atoms": Chem.Mol.GetNumHeavyAtoms,
    "rings": rdMolDescriptors.CalcNumRings,
    "aromatic_rings": rdMolDescriptors.CalcNumAromaticRings,
    "rotatable": rdMolDescriptors.CalcNumRotatableBonds,
    "donors": rdMolDescriptors.CalcNumHBD,
    "acceptors": rdMolDescriptors.CalcNumHBA,
    "sp3": rdMolDescriptors.CalcFractionCSP3,  # share of carbons
    "charge": Chem.GetFormalCharge,
}


def property_values(
    smiles: Sequence[str | None], names: Sequence[str] = ("logp", "qed", "sa", "weight", "tpsa")
) -> dict[str, NDArray[np.float32]]:
    """Compute properties of n molecules.

    Args:
        smiles: The molecules; the properties of None are NaN.
        names: Some of `PROPERTIES`.

    Returns:
        (n,) float32 by name.

    Raises:
        InputError: There is no property of such a name.
    """
    for name in names:
        if name not in PROPERTIES:
            raise InputError(
                f"{name!r} is no property of molecules; expected some of {', '.join(PROPERTIES)}."
                + suggest(name, PROPERTIES)
            )
    with BlockLogs():
        molecules = [Chem.MolFromSmiles(text) if text else None for text in smiles]
    return {
        name: np.array(
            [PROPERTIES[name](molecule) if molecule else np.nan for molecule in molecules],
            np.float32,
        )
        for name in names
    }
