"""Properties of molecules that RDKit computes, by name."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
WIDTHS = {"logp": 0.2, "qed": 0.02, "sa": 0.1, "weight": 5.0, "tpsa": 4.0, "sp3": 0.04}
"""How near `near` goes: about a fifth of how far drug-like molecules spread; to counts .25."""


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
    _check(names)
    with BlockLogs():
        molecules = [Chem.MolFromSmiles(text) if text else None for text in smiles]
    return {
        name: np.array(
            [PROPERTIES[name](molecule) if molecule else np.nan for molecule in molecules],
            np.float32,
        )
        for name in names
    }


@dataclass(frozen=True)
class Near:
    """Score of molecules by how near their properties are to wanted ones; see `near`.

    Args:
        wanted: Values by name, in the units of `PROPERTIES`.
        width: Standard deviation about each.
    """

    wanted: Mapping[str, float]
    width: Mapping[str, float]

    def __call__(self, smiles: Sequence[str]) -> list[float]:
        """Scores of n SMILES: minus half the sum of squared distances in widths.

        Raises:
            InputError: They are no SMILES.
        """
        if not all(isinstance(text, str) for text in smiles):
            raise InputError("`near` is for models of molecules: score other graphs by their own.")
        values = property_values(smiles, list(self.wanted))
        away = [(values[name] - value) / self.width[name] for name, value in self.wanted.items()]
        scores: list[float] = (-np.square(np.array(away, np.float64)).sum(0) / 2).tolist()
        return scores


def near(wanted: Mapping[str, float], width: Mapping[str, float] | None = None) -> Near:
    """A score for `GraphModel.sample`, of any model of molecules, for wanted properties.

    Samples follow the model's law times Gaussians about what is wanted, by importance resampling
    among the draws of each (Rubin, 1987): the nearer, the more `particles` there are.

    Args:
        wanted: Values by name of `PROPERTIES`, such as logp, qed, sa, weight (g/mol), tpsa
            (square angstrom).
        width: Standard deviations; by default `WIDTHS`, and .25 of counts.

    Raises:
        InputError: There is no such property, nothing is wanted, or a width is not above zero.

    >>> near({"logp": 1.0, "rings": 2})(["c1ccccc1"])[0] < near({"rings": 1})(["c1ccccc1"])[0]
    True
    """
    widths = {name: WIDTHS.get(name, 0.25) for name in wanted} | dict(width or {})
    _check([*wanted, *widths])
    if not wanted:
        raise InputError("Found no property, expected one or more, such as {'logp': 2.5}.")
    for name, value in (*wanted.items(), *widths.items()):
        if not math.isfinite(value):
            raise InputError(f"Found {name} {value}, expected a finite number.")
    if wrong := next((name for name, each in widths.items() if each <= 0), None):
        raise InputError(
            f"Found a width of {widths[wrong]:g} for {wrong}, expected a number above zero: the "
            "smaller it is, the nearer samples come and the more particles that takes."
        )
    return Near(dict(wanted), widths)


def _check(names: Sequence[str]) -> None:
    for name in names:
        if name not in PROPERTIES:
            raise InputError(
                f"{name!r} is no property of molecules; expected some of {', '.join(PROPERTIES)}."
                + suggest(name, PROPERTIES)
            )
