"""Substructure search."""

import re
from collections.abc import Sequence

from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.rdBase import BlockLogs

from graphs.chem.attachment_points import closed_query, has_hydrogens, has_points
from graphs.chem.parser import MARKS, Parsed, parse
from graphs.data.sparse_counts import Counts, sparse_counts
from refine_core.errors import InputError


def contain(smiles: Sequence[str | None], scaffold: str) -> list[bool]:
    """Whether RDKit finds a scaffold's atoms and bonds in each of n molecules.

    Of a scaffold with attachment points `*`, other atoms have no further neighbours; of others,
    atoms whose hydrogens are written, as in [nH], keep them. Isotopes and stereochemistry are
    ignored, aromaticity is not: bonds of a chain are not found in an aromatic ring, though it has
    alternating bonds.

    >>> contain(["Cc1ccccc1", "CC", None], "c1ccccc1")
    [True, False, False]
    >>> contain(["Cc1ccccc1", "Cc1ccccc1O"], "*c1ccccc1")
    [True, False]
    >>> contain(["Cc1ccc[nH]1", "Cn1cccc1"], "c1cc[nH]c1"), contain(["COC", "CCO"], "[13CH3]O")
    ([True, False], [True, False])

    Args:
        smiles: The molecules; None contains nothing.
        scaffold: SMILES.

    Raises:
        InputError: The scaffold is not a molecule, see `attachment_points.probed`.
    """
    closed = has_points(scaffold) or has_hydrogens(scaffold)
    query = closed_query(scaffold) if closed else _query(scaffold)
    with BlockLogs():
        found = [Chem.MolFromSmiles(text) if text else None for text in smiles]
        return [each is not None and each.HasSubstructMatch(query) for each in found]


def ignored(scaffold: str) -> list[str]:
    """What of a scaffold is ignored, since graphs have none: isotopes, stereochemistry.

    >>> ignored("C[C@H](N)[13CH3]"), ignored("[1*]c1ccccc1")
    (['isotopes', 'stereochemistry'], [])
    """
    rest = re.sub(r"\[\d*\*(:\d+)?\]", "*", scaffold)  # attachment points may be numbered
    return [name for name, mark in MARKS.items() if mark.search(rest)]


def _query(scaffold: str) -> Chem.Mol:
    """The scaffold without isotopes and stereochemistry."""
    read = parse(scaffold)
    if not isinstance(read, Parsed):
        raise InputError(f"{scaffold!r} cannot be used: {read}; give another molecule.")
    return Chem.MolFromSmiles(read.smiles)


def substructure_counts(smiles: Sequence[str], radius: int, size: int) -> Counts:
    """How often each circular substructure is in valid molecules (Rogers and Hahn, 2010).

    Args:
        smiles: n SMILES.
        radius: Bonds that a substructure reaches from its atom.
        size: Places that substructures are folded into.

    Returns:
        A sparse matrix (n, size).
    """
    made = rdFingerprintGenerator.GetMorganGenerator(radius=radius)
    found = (made.GetSparseCountFingerprint(Chem.MolFromSmiles(text)) for text in smiles)
    return sparse_counts((each.GetNonzeroElements() for each in found), size)
