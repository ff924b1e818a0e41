"""Where the SMILES of a part says that a molecule goes on, and where not.

At its attachment points `*` a molecule goes on, and nowhere else. Without such, it goes on
anywhere but at atoms whose hydrogens are written, as in [nH], [NH2] or [H]O: these keep all.
"""

from rdkit import Chem
from rdkit.Chem.rdqueries import (
    ExplicitDegreeEqualsQueryAtom,
    HCountEqualsQueryAtom,
    ReplaceAtomWithQueryAtom,
)
from rdkit.rdBase import BlockLogs

from graphs.chem.parser import sanitised
from refine_core.errors import InputError


def has_points(smiles: str) -> bool:
    """Whether a SMILES has attachment points."""
    return "*" in smiles


def has_hydrogens(smiles: str) -> bool:
    """Whether a SMILES has atoms whose hydrogens are written.

    >>> has_hydrogens("c1cc[nH]c1"), has_hydrogens("[H]OC"), has_hydrogens("C[O-]")
    (True, True, False)
    """
    return bool(_written(smiles))


def probed(smiles: str) -> tuple[str, int]:
    """A mol block in which a carbon stands at each attachment point, behind all other atoms.

    Without attachment points, one stands in place of a written hydrogen of each atom that has any.

    >>> block, count = probed("*c1ccccc1")
    >>> count, Chem.MolToSmiles(Chem.MolFromMolBlock(block))
    (1, 'Cc1ccccc1')
    >>> block, count = probed("c1cc[nH]c1")
    >>> count, Chem.MolToSmiles(Chem.MolFromMolBlock(block))
    (1, 'Cn1cccc1')

    Returns:
        The mol block and the count of these carbons.

    Raises:
        InputError: The SMILES is none, or a point is not the end of one single bond.
    """
    molecule, points = _read(smiles)
    if not points:
        molecule, points = _with_probes(molecule, _places(molecule, smiles))
    for point in points:
        molecule.GetAtomWithIdx(point).SetAtomicNum(6)
    rest = [i for i in range(molecule.GetNumAtoms()) if i not in points]
    with BlockLogs():
        ordered = Chem.RenumberAtoms(molecule, [*rest, *points])
        Chem.SanitizeMol(ordered)
        return Chem.MolToMolBlock(ordered), len(points)


def closed_query(smiles: str) -> Chem.Mol:
    """What a molecule has to match: every atom with as many neighbours as the SMILES gives it.

    Without attachment points, atoms whose hydrogens are written have as many, and others any.

    Raises:
        InputError: As of `probed`.
    """
    molecule, points = _read(smiles)
    query = Chem.RWMol(molecule)
    places = range(molecule.GetNumAtoms()) if points else _places(molecule, smiles)
    for place in places:
        atom = molecule.GetAtomWithIdx(place)
        as_many = (
            ExplicitDegreeEqualsQueryAtom(atom.GetDegree())
            if points
            else HCountEqualsQueryAtom(atom.GetTotalNumHs())
        )
        ReplaceAtomWithQueryAtom(query, query.GetAtomWithIdx(place))
        query.GetAtomWithIdx(place).ExpandQuery(as_many)
    for point in sorted(points, reverse=True):
        query.RemoveAtom(point)
    return query.GetMol()


def _read(smiles: str) -> tuple[Chem.Mol, list[int]]:
    """The molecule, and the places of its attachment points."""
    with BlockLogs():
        molecule = sanitised(smiles)
        if isinstance(molecule, str):
            raise InputError(f"{smiles!r} cannot be used: {molecule}; give another molecule.")
        Chem.RemoveStereochemistry(molecule)
        for atom in molecule.GetAtoms():
            atom.SetIsotope(0)
            atom.SetAtomMapNum(0)
        molecule = Chem.RemoveHs(molecule)
        points = [atom.GetIdx() for atom in molecule.GetAtoms() if not atom.GetAtomicNum()]
        for point in points:
            atom = molecule.GetAtomWithIdx(point)
            orders = [bond.GetBondType() for bond in atom.GetBonds()]
            beyond = [near for near in atom.GetNeighbors() if near.GetAtomicNum()]
            if orders != [Chem.BondType.SINGLE] or not beyond:
                raise InputError(
                    f"{smiles!r} has an attachment point * that is not at the end of one single "
                    "bond to an atom, as in *c1ccccc1: give another molecule."
                )
    return molecule, points


def _written(smiles: str) -> list[int]:
    """Places, among atoms but hydrogen, of those whose hydrogens are written."""
    with BlockLogs():
        molecule = Chem.MolFromSmiles(smiles, sanitize=False)  # which keeps atoms of hydrogen
    atoms = [] if molecule is None else molecule.GetAtoms()
    heavy = [atom for atom in atoms if atom.GetAtomicNum() != 1]
    return [
        place
        for place, atom in enumerate(heavy)
        if atom.GetNumExplicitHs() or any(near.GetAtomicNum() == 1 for near in atom.GetNeighbors())
    ]


def _places(molecule: Chem.Mol, smiles: str) -> list[int]:
    """Places in the molecule of the atoms whose hydrogens its SMILES writes."""
    heavy = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() != 1]
    return [heavy[place] for place in _written(smiles)]


def _with_probes(molecule: Chem.Mol, places: list[int]) -> tuple[Chem.Mol, list[int]]:
    """The molecule with a carbon in place of a hydrogen of each atom at `places`, and where."""
    probed = Chem.RWMol(molecule)
    for place in places:
        atom = probed.GetAtomWithIdx(place)
        atom.SetNumExplicitHs(max(0, atom.GetNumExplicitHs() - 1))
        probed.AddBond(place, probed.AddAtom(Chem.Atom(6)), Chem.BondType.SINGLE)
    return probed.GetMol(), list(range(molecule.GetNumAtoms(), probed.GetNumAtoms()))
