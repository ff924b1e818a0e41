"""From SMILES and mol blocks to graphs.

A graph of labelled atoms and bonds has no room for everything. Isotopes, stereochemistry and atom
map numbers are dropped, and counted. A molecule is refused, with the reason, if it has radicals,
wildcard atoms, or bonds other than single, double, triple and aromatic, or if its canonical SMILES
(without what was dropped) is not that of the graph turned back into a molecule.
"""

import re
from dataclasses import dataclass
from typing import Literal

from rdkit import Chem
from rdkit.rdBase import BlockLogs

from graphs.chem.fragments import apart, bonds_of, cut
from graphs.chem.labels import BOND_NUMBERS, BOND_TYPES, BONDS, atom_name, atom_number
from graphs.chem.smiles import assemble, largest, molecule_smiles
from graphs.data.batch import Vocabulary

# How a SMILES shows what is dropped.
MARKS = {
    "isotopes": re.compile(r"\[\d"),
    "stereochemistry": re.compile(r"[@/\\]"),
    "atom maps": re.compile(r":\d+\]"),
}


SHOWN = 8  # names of a vocabulary in a sentence
HYDROGEN = re.compile(r"\[\d*H[\]+:\d-]")
"""An atom of hydrogen in a SMILES, unlike [He], [Hg] and other elements."""


@dataclass(frozen=True)
class ParseOptions:
    """How molecules become graphs.

    Args:
        hydrogens: Whether hydrogens are nodes; otherwise they are implied by the bonds.
        aromatic: Whether AROMATIC is a bond label; otherwise single and double bonds alternate.
        fragments: Names of the fragments that are nodes, see `graphs.chem.fragments`; others come
            apart into atoms.
        mined: The count of fragments that are nodes, the most frequent of a file that is read;
            "auto" takes those in five molecules and more; 0 takes `fragments`.
        largest_fragment: Whether a disconnected molecule becomes the graph of its largest
            fragment; otherwise it becomes a disconnected graph.
        limit: Largest number of nodes accepted.
        vocabulary: Labels accepted; None accepts all.
    """

    hydrogens: bool = False
    aromatic: bool = False
    fragments: tuple[str, ...] = ()
    mined: int | Literal["auto"] = 0
    largest_fragment: bool = False
    limit: int = 200
    vocabulary: Vocabulary | None = None


@dataclass(frozen=True)
class Parsed:
    """One molecule as a graph.

    Args:
        atoms: Name of each node: of an atom (`graphs.chem.labels`) or of a fragment.
        bonds: The two nodes of each edge, and 1 + the place of its type in `BONDS`.
        smiles: Canonical, without stereochemistry and isotopes.
        dropped: Which of `MARKS` the molecule has lost, and "smaller fragments".
        sites: The site of each end of each bond, where fragments are nodes; else None.
    """

    atoms: list[str]
    bonds: list[tuple[int, int, int]]
    smiles: str
    dropped: tuple[str, ...] = ()
    sites: list[tuple[int, int]] | None = None


def parse(text: str, options: ParseOptions = ParseOptions()) -> Parsed | str:  # noqa: B008
    """Turn a SMILES or a mol block into a graph, or say in a few words why not.

    >>> parse("C[13CH]=O").atoms == parse("CC=O").atoms
    True
    >>> parse("C[CH]C")
    'it has a radical'
    """
    with BlockLogs():
        molecule = sanitised(text)
        if isinstance(molecule, str):
            return molecule
        smiles = Chem.MolToSmiles(molecule)
        dropped = [name for name, mark in MARKS.items() if mark.search(smiles)]
        if dropped or HYDROGEN.search(smiles):
            molecule = _simplified(molecule)
            smiles = Chem.MolToSmiles(molecule)
        if options.largest_fragment and "." in smiles:
            molecule = largest(molecule)
            smiles, dropped = Chem.MolToSmiles(molecule), [*dropped, "smaller fragments"]
        return _graph(molecule, smiles, tuple(dropped), options)


def sanitised(text: str) -> Chem.Mol | str:
    """Read and sanitise a molecule, or give the reason why that fails."""
    block = "\n" in text
    read = Chem.MolFromMolBlock if block else Chem.MolFromSmiles
    if (molecule := read(text)) is None:
        if (raw := read(text, sanitize=False)) is None:
            return "it is not a mol block" if block else "it is not a SMILES"
        problems = Chem.DetectChemistryProblems(raw)
        return str(problems[0].Message()).strip() if problems else "RDKit refuses it"
    return molecule if molecule.GetNumAtoms() else "it has no atoms"


def _simplified(molecule: Chem.Mol) -> Chem.Mol:
    """Drop stereochemistry, isotopes, atom maps, and hydrogens that bonds imply."""
    Chem.RemoveStereochemistry(molecule)
    for atom in molecule.GetAtoms():
        atom.SetIsotope(0)
        atom.SetAtomMapNum(0)
    return Chem.RemoveHs(molecule)


def _graph(
    molecule: Chem.Mol, smiles: str, dropped: tuple[str, ...], options: ParseOptions
) -> Parsed | str:
    """Label atoms and bonds, and check that the graph gives the molecule back."""
    if options.hydrogens:
        molecule = Chem.AddHs(molecule)
    elif HYDROGEN.search(smiles):
        return "it has a hydrogen that no bond implies"
    if "*" in smiles:
        return "it has a wildcard atom"
    if molecule.GetNumAtoms() > options.limit:
        return f"it has {molecule.GetNumAtoms()} atoms, more than the {options.limit} allowed"
    if any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        return "it has a radical"
    kinds = {bond.GetBondType() for bond in molecule.GetBonds()}
    if unknown := kinds - BOND_NUMBERS.keys():
        return f"it has a bond of type {unknown.pop()}"
    names, joined, sites = _labelled(molecule, options)
    if options.vocabulary and (outside := _outside(names, joined, options)):
        return outside
    bonds = [(i, j, BOND_TYPES[BONDS[number - 1]]) for i, j, number in joined]
    again = assemble(names, bonds, hydrogens=options.hydrogens, sites=sites)
    if again is None or not _same(molecule_smiles(again), smiles):
        return "it is not recovered from its atoms, charges and bonds"
    return Parsed(names, joined, smiles, dropped, sites)


def _labelled(
    molecule: Chem.Mol, options: ParseOptions
) -> tuple[list[str], list[tuple[int, int, int]], list[tuple[int, int]] | None]:
    """Names of the nodes, the edges, and the sites of their ends where fragments are nodes."""
    if options.fragments:
        found = apart(cut(molecule), frozenset(options.fragments))
        return found.names, found.bonds, found.sites
    if not options.aromatic:
        Chem.Kekulize(molecule, clearAromaticFlags=True)
    names = [_name(atom, options) for atom in molecule.GetAtoms()]
    return names, bonds_of(molecule), None


def _name(atom: Chem.Atom, options: ParseOptions) -> str:
    """Name of an atom (`graphs.chem.labels`)."""
    element = atom.GetAtomicNum()
    hydrogen = options.aromatic and element != 6 and atom.GetIsAromatic() and atom.GetTotalNumHs()
    return atom_name(atom_number(element, atom.GetFormalCharge(), bool(hydrogen)))


def _outside(names: list[str], bonds: list[tuple[int, int, int]], options: ParseOptions) -> str:
    """Say which label is not in the vocabulary; "" if all are."""
    assert options.vocabulary is not None
    kinds = [BONDS[number - 1] for _, _, number in bonds]
    for labels, known in (names, options.vocabulary.nodes), (kinds, options.vocabulary.edges):
        for label in labels:
            if label not in known:
                shown = [*known[:SHOWN], "..."] if len(known) > SHOWN else known
                return f"it has {label}, outside the vocabulary {', '.join(shown)}"
    return ""


def _same(a: str, b: str) -> bool:
    """Whether two SMILES have one canonical form."""
    if a == b:
        return True
    first, second = Chem.MolFromSmiles(a), Chem.MolFromSmiles(b)
    if first is None or second is None:
        return False
    return bool(Chem.MolToSmiles(first) == Chem.MolToSmiles(second))
