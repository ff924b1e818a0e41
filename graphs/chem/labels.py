"""Labels of atoms and bonds: their names, and the numbers that order them.

An atom's name is its element and formal charge: `C`, `N+1`, `O-1`. Where bonds may be aromatic,
the hydrogen of pyrrole's nitrogen does not follow from its bonds, and is part of the name: `NH`.
"""

import re
from collections.abc import Sequence
from functools import cache

from rdkit import Chem

from refine_core.errors import InputError

BONDS = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")  # in the order of their numbers 1, 2, ...
BOND_TYPES = {name: getattr(Chem.BondType, name) for name in BONDS}
BOND_NUMBERS = {BOND_TYPES[name]: number for number, name in enumerate(BONDS, start=1)}

_ELEMENTS = 128  # more than there are


def atom_number(element: int, charge: int, hydrogen: bool) -> int:
    """Number of an atom, which orders atoms by charge (0 first), then by atomic number `element`.

    >>> [atom_name(atom_number(*atom)) for atom in [(6, 0, False), (7, 1, False), (7, 0, True)]]
    ['C', 'N+1', 'NH']
    """
    signed = 2 * abs(charge) - (charge > 0)  # 0, 1, -1, 2, -2 become 0, 1, 2, 3, 4
    return (signed * 2 + hydrogen) * _ELEMENTS + element


@cache
def atom_name(number: int) -> str:
    """Name of the atom with a number."""
    rest, element = divmod(number, _ELEMENTS)
    signed, hydrogen = divmod(rest, 2)
    charge = (signed + 1) // 2 * (1 if signed % 2 else -1)
    symbol = Chem.GetPeriodicTable().GetElementSymbol(element)
    return symbol + "H" * hydrogen + (f"{charge:+d}" if charge else "")


def atom_order(name: str) -> int:
    """Number of the atom with a name.

    >>> sorted(["O-1", "N", "C"], key=atom_order)
    ['C', 'N', 'O-1']
    """
    atom = atom_of(name)
    return atom_number(atom.GetAtomicNum(), atom.GetFormalCharge(), bool(atom.GetNumExplicitHs()))


@cache
def atom_of(name: str) -> Chem.Atom:
    """Atom of a name.

    Raises:
        InputError: The name is not an element with an optional hydrogen and charge.
    """
    found = re.fullmatch(r"([A-Z][a-z]?)(H?)([+-]\d+)?", name)
    table = Chem.GetPeriodicTable()
    try:
        element = table.GetAtomicNumber(found[1]) if found else 0
    except RuntimeError:
        element = 0
    if not found or not element:
        raise InputError(f"{name!r} is not the name of an atom, such as C, N+1 or O-1.")
    atom = Chem.Atom(element)
    atom.SetFormalCharge(int(found[3] or 0))
    atom.SetNumExplicitHs(len(found[2]))
    return atom


def bond_types(names: Sequence[str]) -> list[Chem.BondType]:
    """RDKit's types of bonds, by name.

    Raises:
        InputError: A name is none of `BONDS`.
    """
    if unknown := set(names) - set(BONDS):
        raise InputError(f"{unknown.pop()!r} is not the name of a bond: {', '.join(BONDS)}.")
    return [BOND_TYPES[name] for name in names]
