"""Fragments of molecules: what rings and multiple bonds hold together, each a node of its own.

A molecule is cut at every single bond on no ring. What is left are ring systems with the atoms
that are doubly bonded to them, groups such as C=O, S(=O)=O and C#N, and single atoms: a molecule
of 22 atoms has about nine such fragments, joined by single bonds to a tree. Aromaticity and every
choice of alternating bonds lie inside a fragment, so that any tree of fragments whose atoms have
hydrogens to give is a valid molecule.

A fragment's name is the canonical SMILES that it has when hydrogens take the places of the bonds
that were cut, unless it is an atom. Its sites are its atoms, in the order of that SMILES.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from rdkit import Chem
from rdkit.rdBase import BlockLogs

from graphs.chem.labels import BOND_NUMBERS, atom_name, atom_number, atom_of
from graphs.data.batch import ATOM
from graphs.data.fragments import FragmentTables
from refine_core.errors import InputError

SYMMETRIES = 48
"""Symmetries that are used; a fragment with more is taken to have none."""
_ORDER = "_smilesAtomOutputOrder"


@dataclass(frozen=True)
class Fragment:
    """What the name of a node says.

    Args:
        atoms: Names of its atoms, by site.
        bonds: The two sites of each bond and the number of its type, single and double bonds
            alternating on aromatic rings.
        free: Hydrogens of each atom, which further bonds may replace.
        symmetries: Each a permutation of the sites that changes nothing; the first is the
            identity.
    """

    atoms: tuple[str, ...]
    bonds: tuple[tuple[int, int, int], ...] = ()
    free: tuple[int, ...] = ()
    symmetries: tuple[tuple[int, ...], ...] = ((0,),)

    @classmethod
    @cache
    def named(cls, name: str) -> "Fragment":
        """The fragment of a name.

        Raises:
            InputError: There is no such atom or fragment.

        >>> Fragment.named("C=O").free, len(Fragment.named("c1ccccc1").symmetries)
        ((2, 0), 12)
        """
        if is_atom(name):
            return cls((name,))
        with BlockLogs():
            molecule = Chem.MolFromSmiles(name) if name else None
        if molecule is None:
            raise InputError(
                f"{name!r} is not the name of an atom, such as C, N+1 or O-1, nor of a fragment."
            )
        each = [molecule.GetAtomWithIdx(i) for i in range(molecule.GetNumAtoms())]
        free, atoms = tuple(atom.GetTotalNumHs() for atom in each), tuple(map(name_of, each))
        matches = molecule.GetSubstructMatches(molecule, uniquify=False, maxMatches=5000)
        alike = [tuple(match) for match in matches if _keeps(match, free, atoms)]
        identity = tuple(range(len(free)))
        # Some of a group are no group, and would not tell which sequences are least.
        others = [match for match in alike if match != identity]
        others = others if len(others) < SYMMETRIES else []
        Chem.Kekulize(molecule, clearAromaticFlags=True)
        return cls(atoms, tuple(bonds_of(molecule)), free, (identity, *others))


def tables(names: Sequence[str]) -> FragmentTables:
    """Tables of the labels with these names."""
    every = [Fragment.named(name) for name in names]
    sites = max(len(each.atoms) for each in every)
    turns = max(len(each.symmetries) for each in every)
    number = {name: atom_of(name).GetAtomicNum() for each in every for name in each.atoms}
    free, atom = (np.zeros((len(every), sites), np.int64) for _ in range(2))
    distance = np.full((len(every), sites, sites), sites)
    symmetries = np.tile(np.arange(sites), (len(every), turns, 1))
    for row, each in enumerate(every):
        count = len(each.atoms)
        free[row, :count] = each.free or (1,)
        atom[row, :count] = [number[name] for name in each.atoms]
        symmetries[row, : len(each.symmetries), :count] = each.symmetries
        for i, j, _ in each.bonds:
            distance[row, i, j] = distance[row, j, i] = 1
    distance[:, np.arange(sites), np.arange(sites)] = 0
    for k in range(sites):  # Floyd and Warshall
        np.minimum(distance, distance[:, :, k, None] + distance[:, None, k], out=distance)
    distance[distance >= sites] = 0  # from or to where there is no site
    return FragmentTables(*map(torch.from_numpy, (free, atom, distance, symmetries)))


def is_atom(name: str) -> bool:
    """Whether a name is that of a single atom.

    >>> is_atom("N+1"), is_atom("C#N")
    (True, False)
    """
    return ATOM.fullmatch(name) is not None


@dataclass(frozen=True)
class Cut:
    """A molecule as a graph of fragments.

    Args:
        names: Name of each node.
        bonds: The two nodes of each bond, and 1 + the place of its type in `BONDS`.
        sites: The site of each of its two ends.
    """

    names: list[str]
    bonds: list[tuple[int, int, int]]
    sites: list[tuple[int, int]]


def cut(molecule: Chem.Mol) -> Cut:
    """Cut a sanitised molecule at its single bonds on no ring.

    >>> found = cut(Chem.MolFromSmiles("Cc1ccccc1C=O"))
    >>> found.names, found.bonds
    (['C', 'c1ccccc1', 'C=O'], [(0, 1, 1), (1, 2, 1)])
    """
    single = Chem.BondType.SINGLE
    bonds = [b for b in molecule.GetBonds() if b.GetBondType() == single and not b.IsInRing()]
    parts: Sequence[Chem.Mol] = [molecule]
    places = [tuple(range(molecule.GetNumAtoms()))]
    if bonds:
        numbers, places = [bond.GetIdx() for bond in bonds], []
        open_ended = Chem.FragmentOnBonds(molecule, numbers, addDummies=False)
        parts = Chem.GetMolFrags(
            open_ended, asMols=True, sanitizeFrags=False, fragsMolAtomMapping=places
        )
    names: list[str] = []
    at: dict[int, tuple[int, int]] = {}
    hydrogens = [atom.GetTotalNumHs() for atom in molecule.GetAtoms()]
    for bond in bonds:
        hydrogens[bond.GetBeginAtomIdx()] += 1
        hydrogens[bond.GetEndAtomIdx()] += 1
    for number, (part, atoms) in enumerate(zip(parts, places, strict=True)):
        name, order = _canonical(part, [hydrogens[atom] for atom in atoms])
        names.append(name)
        at |= {atoms[old]: (number, site) for site, old in enumerate(order)}
    ends = [(at[bond.GetBeginAtomIdx()], at[bond.GetEndAtomIdx()]) for bond in bonds]
    return Cut(names, [(a[0], b[0], 1) for a, b in ends], [(a[1], b[1]) for a, b in ends])


def apart(whole: Cut, known: Collection[str]) -> Cut:
    """Take fragments that are not known apart, into their atoms.

    >>> found = apart(cut(Chem.MolFromSmiles("CC(=O)C#N")), ["C#N"])
    >>> found.names, found.bonds
    (['C', 'C', 'O', 'C#N'], [(1, 2, 2), (0, 1, 1), (1, 3, 1)])
    """
    names: list[str] = []
    bonds: list[tuple[int, int, int]] = []
    start: list[tuple[int, bool]] = []
    for name in whole.names:
        split = not is_atom(name) and name not in known
        start.append((len(names), split))
        first = len(names)
        fragment = Fragment.named(name) if split else Fragment((name,))
        names += fragment.atoms
        bonds += [(first + i, first + j, kind) for i, j, kind in fragment.bonds]
    sites = [(0, 0)] * len(bonds)
    for (i, j, kind), ends in zip(whole.bonds, whole.sites, strict=True):
        moved = [
            (start[node][0] + site, 0) if start[node][1] else (start[node][0], site)
            for node, site in zip((i, j), ends, strict=True)
        ]
        bonds.append((moved[0][0], moved[1][0], kind))
        sites.append((moved[0][1], moved[1][1]))
    return Cut(names, bonds, sites)


def _canonical(part: Chem.Mol, hydrogens: Sequence[int]) -> tuple[str, list[int]]:
    """Name of a fragment whose atoms have so many hydrogens, and its atoms by their sites."""
    if part.GetNumAtoms() == 1:
        return name_of(part.GetAtomWithIdx(0)), [0]
    part.UpdatePropertyCache(strict=False)
    for atom, count in zip(part.GetAtoms(), hydrogens, strict=True):
        if atom.GetTotalNumHs() != count:  # of an atom such as the sulfur of a sulfone
            atom.SetNumExplicitHs(count)
            atom.SetNoImplicit(True)
    smiles = Chem.MolToSmiles(part)
    return smiles, list(part.GetPropsAsDict(True, True)[_ORDER])


def name_of(atom: Chem.Atom) -> str:
    """Name of an atom as a node, without its hydrogens."""
    return atom_name(atom_number(atom.GetAtomicNum(), atom.GetFormalCharge(), False))


def _keeps(match: tuple[int, ...], free: tuple[int, ...], atoms: tuple[str, ...]) -> bool:
    """Whether a permutation of sites maps each to one with the same hydrogens."""
    return all(free[i] == free[j] and atoms[i] == atoms[j] for i, j in enumerate(match))


def bonds_of(molecule: Chem.Mol) -> list[tuple[int, int, int]]:
    """The two atoms of each bond, and 1 + the place of its type in `BONDS`."""
    bonds = map(molecule.GetBondWithIdx, range(molecule.GetNumBonds()))  # GetBonds is slower
    return [(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), BOND_NUMBERS[b.GetBondType()]) for b in bonds]
