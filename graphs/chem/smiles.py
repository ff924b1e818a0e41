"""From graphs to molecules and SMILES, as they are or corrected.

`to_smiles` repairs nothing: a graph that violates valence or cannot be kekulised gives None.
`corrected` lowers the orders of bonds until valences are right.
"""

from collections.abc import Iterator, Sequence

import torch
from rdkit import Chem
from rdkit.rdBase import BlockLogs

from graphs.chem.fragments import Fragment, bonds_of, name_of
from graphs.chem.labels import (
    BOND_TYPES,
    BONDS,
    atom_of,
    atom_order,
    bond_types,
)
from graphs.data.batch import GraphBatch, Vocabulary

Bond = tuple[int, int, Chem.BondType]
_VALENCE = Chem.SanitizeFlags.SANITIZE_PROPERTIES


def draft(
    names: Sequence[str],
    bonds: Sequence[Bond],
    *,
    hydrogens: bool,
    sites: Sequence[tuple[int, int]] | None = None,
) -> Chem.RWMol:
    """Make a molecule of atoms, fragments and bonds, without any check.

    Args:
        names: Names of the nodes, each an atom or a fragment.
        bonds: The two nodes and the type of each bond.
        hydrogens: Whether every hydrogen is an atom, so that none are implied.
        sites: The atoms of the fragments that each bond joins; None where nodes are atoms.
    """
    molecule, first = Chem.RWMol(), []
    for name in names:
        fragment, start = Fragment.named(name), molecule.GetNumAtoms()
        first.append(start)
        for atom in fragment.atoms:
            molecule.AddAtom(atom_of(atom))
        for i, j, kind in fragment.bonds:
            molecule.AddBond(start + i, start + j, BOND_TYPES[BONDS[kind - 1]])
    at = sites or [(0, 0)] * len(bonds)
    for (i, j, kind), (a, b) in zip(bonds, at, strict=True):
        ends = first[i] + a, first[j] + b
        molecule.AddBond(*ends, kind)
        if kind == Chem.BondType.AROMATIC:
            molecule.GetBondBetweenAtoms(*ends).SetIsAromatic(True)
            for end in ends:
                molecule.GetAtomWithIdx(end).SetIsAromatic(True)
    if hydrogens:
        for atom in molecule.GetAtoms():
            atom.SetNumExplicitHs(0)
            atom.SetNoImplicit(True)
    return molecule


def _checked(molecule: Chem.RWMol) -> Chem.Mol | None:
    """Sanitise; None where that fails or a missing hydrogen leaves a radical."""
    if Chem.SanitizeMol(molecule, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return None
    explicit = molecule.GetAtomWithIdx(0).GetNoImplicit()  # otherwise there are no radicals
    if explicit and any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        return None
    return molecule.GetMol()


def assemble(
    names: Sequence[str],
    bonds: Sequence[Bond],
    *,
    hydrogens: bool,
    sites: Sequence[tuple[int, int]] | None = None,
) -> Chem.Mol | None:
    """Make a molecule of exactly these nodes and bonds, and sanitise it; None if RDKit refuses it.

    Hydrogens are implied unless every one is an atom. Arguments as of `draft`.
    """
    return _checked(draft(names, bonds, hydrogens=hydrogens, sites=sites))


def drafts(batch: GraphBatch, vocabulary: Vocabulary) -> Iterator[Chem.RWMol]:
    """Each graph of a batch as an unchecked molecule."""
    types = bond_types(vocabulary.edges)
    graph, i, j = torch.nonzero(batch.edges.triu(1), as_tuple=True)
    label = batch.edges[graph, i, j] - 1
    edges = zip(i.tolist(), j.tolist(), (types[e] for e in label.tolist()), strict=True)
    sites = None
    if batch.sites is not None:
        both = batch.sites[graph, i, j].tolist(), batch.sites[graph, j, i].tolist()
        sites = zip(*both, strict=True)
    counts = torch.bincount(graph, minlength=len(batch)).tolist()
    for nodes, valid, count in zip(
        batch.nodes.tolist(), batch.valid.tolist(), counts, strict=True
    ):
        bonds = [next(edges) for _ in range(count)]
        place = {old: new for new, old in enumerate(k for k, real in enumerate(valid) if real)}
        yield draft(
            [vocabulary.nodes[nodes[k]] for k in place],
            [(place[a], place[b], kind) for a, b, kind in bonds],
            hydrogens="H" in vocabulary.nodes,
            sites=None if sites is None else [next(sites) for _ in range(count)],
        )


def atomic(batch: GraphBatch, vocabulary: Vocabulary) -> tuple[GraphBatch, Vocabulary]:
    """The same molecules with an atom for each node, where nodes are fragments.

    Raises:
        InputError: The vocabulary does not name atoms and bonds.
    """
    if batch.sites is None:
        return batch, vocabulary
    molecules = list(drafts(batch, vocabulary))
    symbols = [[name_of(atom) for atom in each.GetAtoms()] for each in molecules]
    names = tuple(sorted({name for each in symbols for name in each}, key=atom_order)) or ("C",)
    number = {name: label for label, name in enumerate(names)}
    found = Vocabulary(names, BONDS[:3])
    n = max((len(each) for each in symbols), default=0)
    nodes = torch.zeros(len(molecules), n, dtype=torch.int64)
    edges, valid = nodes.new_zeros(len(molecules), n, n), torch.zeros_like(nodes).bool()
    for row, (molecule, each) in enumerate(zip(molecules, symbols, strict=True)):
        nodes[row, : len(each)] = torch.tensor([number[name] for name in each])
        valid[row, : len(each)] = True
        for i, j, kind in bonds_of(molecule):
            edges[row, i, j] = edges[row, j, i] = kind
    return GraphBatch(nodes, edges, valid), found


def to_molecules(batch: GraphBatch, vocabulary: Vocabulary) -> list[Chem.Mol | None]:
    """Turn b graphs into sanitised molecules, exactly as they are; None where RDKit refuses.

    A graph without nodes is None. Disconnected graphs are molecules of several fragments.

    Raises:
        InputError: The vocabulary does not name atoms and bonds.
    """
    with BlockLogs():
        return [
            _checked(molecule) if molecule.GetNumAtoms() else None
            for molecule in drafts(batch, vocabulary)
        ]


def to_smiles(batch: GraphBatch, vocabulary: Vocabulary) -> list[str | None]:
    """Canonical SMILES of b graphs, exactly as they are; None where RDKit refuses.

    Raises:
        InputError: The vocabulary does not name atoms and bonds.
    """
    return [molecule and molecule_smiles(molecule) for molecule in to_molecules(batch, vocabulary)]


def corrected(batch: GraphBatch, vocabulary: Vocabulary) -> list[str | None]:
    """Canonical SMILES of b graphs after valency correction; None where none is possible.

    While an atom has too many bonds, the order of the highest of them is lowered by one, and a
    single bond is removed; the result is the fragment with most heavy atoms. This is the
    correction of GraphAF (Shi et al. 2020) that GDSS (Jo et al. 2022) and DiGress (Vignac et al.
    2023) use. An aromatic bond becomes single; a graph that then cannot be kekulised stays None.

    Raises:
        InputError: The vocabulary does not name atoms and bonds.
    """
    with BlockLogs():
        return [_correct(molecule) for molecule in drafts(batch, vocabulary)]


def _correct(molecule: Chem.RWMol) -> str | None:
    """Lower bond orders until every valence is allowed, then take the largest fragment."""
    lower = {
        Chem.BondType.TRIPLE: Chem.BondType.DOUBLE,
        Chem.BondType.DOUBLE: Chem.BondType.SINGLE,
        Chem.BondType.AROMATIC: Chem.BondType.SINGLE,
    }
    while problems := Chem.DetectChemistryProblems(molecule, _VALENCE):
        atom = molecule.GetAtomWithIdx(problems[0].GetAtomIdx())
        bonds = sorted(atom.GetBonds(), key=lambda bond: -bond.GetBondTypeAsDouble())
        if not bonds:
            return None
        i, j = bonds[0].GetBeginAtomIdx(), bonds[0].GetEndAtomIdx()
        if kind := lower.get(bonds[0].GetBondType()):
            bonds[0].SetBondType(kind)
            bonds[0].SetIsAromatic(False)
        else:
            molecule.RemoveBond(i, j)
    return _largest_smiles(molecule) if molecule.GetNumAtoms() else None


def _largest_smiles(molecule: Chem.RWMol) -> str | None:
    """SMILES of the largest fragment that RDKit accepts."""
    if (whole := _checked(molecule)) is None:
        return None
    return molecule_smiles(largest(whole))


def largest(molecule: Chem.Mol) -> Chem.Mol:
    """Fragment with most heavy atoms; of several, the one whose SMILES sorts last."""
    parts: list[Chem.Mol] = list(Chem.GetMolFrags(molecule, asMols=True))
    return max(parts, key=lambda part: (part.GetNumHeavyAtoms(), Chem.MolToSmiles(part)))


def molecule_smiles(molecule: Chem.Mol) -> str:
    """Canonical SMILES with hydrogens implied."""
    smiles = str(Chem.MolToSmiles(molecule))
    return str(Chem.MolToSmiles(Chem.RemoveHs(molecule))) if "[H]" in smiles else smiles


def canonical(smiles: str) -> str | None:
    """Canonical SMILES without stereochemistry; None where RDKit refuses it."""
    with BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        return None
    Chem.RemoveStereochemistry(molecule)
    return str(Chem.MolToSmiles(molecule))


def is_connected(smiles: str) -> bool:
    """Whether a SMILES is of one fragment.

    >>> is_connected("CCO"), is_connected("[Na+].[Cl-]")
    (True, False)
    """
    return "." not in smiles
