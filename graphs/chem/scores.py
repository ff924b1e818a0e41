"""Scores of single molecules by RDKit, for `graphs.metrics`.

Molecules are given as SMILES. Canonical SMILES here have no stereochemistry and isotopes, which
graphs do not have.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams
from rdkit.Chem.Scaffolds import MurckoScaffold
from rdkit.ML.Descriptors.MoleculeDescriptors import MolecularDescriptorCalculator
from rdkit.rdBase import BlockLogs

from graphs.chem import properties
from refine_core.errors import InputError

ATOMS = frozenset({"C", "N", "S", "O", "F", "Cl", "Br", "H"})
BITS = 1024
RDKIT: str = rdBase.rdkitVersion


@dataclass(frozen=True)
class Examined:
    """A molecule that RDKit can sanitise.

    Args:
        smiles: Canonical SMILES of the fragment with most heavy atoms, of several the first.
        fragments: Number of fragments.
    """

    smiles: str
    fragments: int


def examine(smiles: str | None) -> Examined | None:
    """Read a molecule; None if it is None, empty, not SMILES, or fails RDKit's sanitisation.

    >>> examine("C[C@H](F)O.[Na+]")
    Examined(smiles='CC(O)F', fragments=2)
    >>> examine("C(C)(C)(C)(C)C") is None
    True
    """
    with BlockLogs():
        molecule = Chem.MolFromSmiles(smiles) if smiles else None
    if molecule is None or not molecule.GetNumAtoms():
        return None
    Chem.RemoveStereochemistry(molecule)
    for atom in molecule.GetAtoms():
        atom.SetIsotope(0)
    parts = Chem.GetMolFrags(molecule, asMols=True) if "." in str(smiles) else (molecule,)
    largest = max(parts, key=lambda part: part.GetNumHeavyAtoms())
    return Examined(Chem.MolToSmiles(largest), len(parts))


@dataclass(frozen=True)
class Scores:
    """Scores of a molecule for the distribution metrics of MOSES (Polykovskiy et al., 2020).

    Args:
        properties: logp (Crippen), sa (Ertl & Schuffenhauer, 2009), qed (Bickerton et al., 2012)
            and weight (g/mol).
        fingerprint: (128,) uint8, the 1,024 packed bits of the Morgan fingerprint of radius 2.
        fragments: SMILES of its BRICS fragments, with dummy atoms at the cuts.
        scaffold: SMILES of its Bemis-Murcko scaffold, "" with fewer than two rings.
    """

    properties: dict[str, float]
    fingerprint: NDArray[np.uint8]
    fragments: Counter[str]
    scaffold: str


PROPERTIES = ("logp", "sa", "qed", "weight")


def scores(smiles: str) -> Scores:
    """Compute the scores of a valid molecule."""
    molecule = Chem.MolFromSmiles(smiles)
    scaffold = MurckoScaffold.GetScaffoldForMol(molecule)
    rings = scaffold.GetRingInfo().NumRings()
    cut = Chem.MolToSmiles(Chem.FragmentOnBRICSBonds(molecule))
    return Scores(
        {name: float(properties.PROPERTIES[name](molecule)) for name in PROPERTIES},
        np.packbits(_morgan().GetFingerprintAsNumPy(molecule)),
        Counter(cut.split(".")),
        Chem.MolToSmiles(scaffold) if rings >= 2 else "",
    )


def fingerprints(smiles: Sequence[str]) -> NDArray[np.uint8]:
    """Packed Morgan fingerprints (n, 128) of valid molecules, as in `Scores`."""
    bits = np.zeros((len(smiles), BITS // 8), np.uint8)
    for row, text in enumerate(smiles):
        bits[row] = np.packbits(_morgan().GetFingerprintAsNumPy(Chem.MolFromSmiles(text)))
    return bits


DESCRIPTORS = (
    "BertzCT",
    "MolLogP",
    "MolWt",
    "TPSA",
    "NumHAcceptors",
    "NumHDonors",
    "NumRotatableBonds",
    "NumAliphaticRings",
    "NumAromaticRings",
)
"""Descriptors of the distribution-learning benchmark of GuacaMol (Brown et al., 2019)."""
INTEGERS = frozenset(DESCRIPTORS[4:])


def describe(smiles: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Descriptors (n, 9) and packed Morgan fingerprints (n, 512) of radius 2 and 4,096 bits."""
    calculator = MolecularDescriptorCalculator(DESCRIPTORS)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=4096)
    values = np.zeros((len(smiles), len(DESCRIPTORS)))
    bits = np.zeros((len(smiles), 512), np.uint8)
    for row, text in enumerate(smiles):
        molecule = Chem.MolFromSmiles(text)
        values[row] = calculator.CalcDescriptors(molecule)
        bits[row] = np.packbits(generator.GetFingerprintAsNumPy(molecule))
    return np.nan_to_num(values, posinf=0, neginf=0), bits


def ring_sizes(smiles: str) -> set[int]:
    """Sizes of the smallest rings of a valid molecule.

    >>> ring_sizes("C1CC1c1ccccc1")
    {3, 6}
    """
    molecule = Chem.MolFromSmiles(smiles)  # lives as long as its rings are read
    return {len(ring) for ring in molecule.GetRingInfo().AtomRings()}


class Filters:
    """The filters that molecules of the MOSES data pass.

    No atom but C, N, S, O, F, Cl, Br and H, no formal charge, no ring of eight or more atoms, none
    of the PAINS (Baell & Holloway, 2010; the catalogue that RDKit ships) and none of the medicinal
    chemistry filters, searched with explicit hydrogens.

    Args:
        smarts: The medicinal chemistry filters, column `smarts` of `moses/metrics/mcf.csv`.

    Raises:
        InputError: An entry is not SMARTS.
    """

    def __init__(self, smarts: Sequence[str]) -> None:
        with BlockLogs():
            self._patterns = [Chem.MolFromSmarts(entry) for entry in smarts]
        if None in self._patterns:
            wrong = next(s for s, p in zip(smarts, self._patterns, strict=True) if p is None)
            raise InputError(f"Found the filter {wrong!r}, which is not SMARTS; correct it.")
        parameters = FilterCatalogParams()
        parameters.AddCatalog(FilterCatalogParams.FilterCatalogs.PAINS)
        self._pains = FilterCatalog(parameters)

    def passes(self, smiles: str) -> bool:
        """Tell whether a valid molecule passes all filters."""
        molecule = Chem.MolFromSmiles(smiles)
        atoms = molecule.GetAtoms()
        if any(atom.GetFormalCharge() or atom.GetSymbol() not in ATOMS for atom in atoms):
            return False
        if any(len(ring) >= 8 for ring in molecule.GetRingInfo().AtomRings()):
            return False
        explicit = Chem.AddHs(molecule)
        if any(explicit.HasSubstructMatch(pattern) for pattern in self._patterns):
            return False
        return not self._pains.HasMatch(explicit)


@dataclass(frozen=True)
class Skeleton:
    """The labelled graph of a molecule's heavy atoms.

    Args:
        atoms: Element symbol of each atom.
        bonds: Both ends of each bond and its order, where aromatic counts 1.
    """

    atoms: tuple[str, ...]
    bonds: tuple[tuple[int, int, int], ...]


def skeleton(smiles: str) -> Skeleton:
    """Return the labelled graph of a valid molecule."""
    molecule = Chem.MolFromSmiles(smiles)
    bonds = (
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), int(bond.GetBondTypeAsDouble()))
        for bond in molecule.GetBonds()
    )
    return Skeleton(tuple(atom.GetSymbol() for atom in molecule.GetAtoms()), tuple(bonds))


@cache
def _morgan() -> rdFingerprintGenerator.FingerprintGenerator64:
    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
