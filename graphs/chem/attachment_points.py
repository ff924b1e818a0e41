"""Attachment points: the `*` of a SMILES, at which a molecule goes on and nowhere else."""

from rdkit import Chem
from rdkit.Chem.rdqueries import ExplicitDegreeEqualsQueryAtom, ReplaceAtomWithQueryAtom
from rdkit.rdBase import BlockLogs

from graphs.chem.parser import sanitised
from refine_core.errors import InputError


def has_points(smiles: str) -> bool:
    """Whether a SMILES has attachment points."""
    return "*" in smiles


def probed(smiles: str) -> tuple[str, int]:
    """A mol block in which a carbon stands at each attachment point, behind all other atoms.

    >>> block, count = probed("*c1ccccc1")
    >>> count, Chem.MolToSmiles(Chem.MolFromMolBlock(block))
    (1, 'Cc1ccccc1')

    Returns:
        The mol block and the count of points.

    Raises:
        InputError: The SMILES is none, or a point is not the end of one single bond.
    """
    molecule, points = _read(smiles)
    for point in points:
        molecule.GetAtomWithIdx(point).SetAtomicNum(6)
    rest = [i for i in range(molecule.GetNumAtoms()) if i not in points]
    with BlockLogs():
        ordered = Chem.RenumberAtoms(molecule, [*rest, *points])
        Chem.SanitizeMol(ordered)
        return Chem.MolToMolBlock(ordered), len(points)


def closed_query(smiles: str) -> Chem.Mol:
    """What a molecule has to match: every atom with as many neighbours as the SMILES gives it.

    Raises:
        InputError: As of `probed`.
    """
    molecule, points = _read(smiles)
    query = Chem.RWMol(molecule)
    for atom in molecule.GetAtoms():
        degree = ExplicitDegreeEqualsQueryAtom(atom.GetDegree())
        ReplaceAtomWithQueryAtom(query, query.GetAtomWithIdx(atom.GetIdx()))
        query.GetAtomWithIdx(atom.GetIdx()).ExpandQuery(degree)
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
        points = [atom.GetIdx() for atom in molecule.GetAtoms() if not atom.GetAtomicNum()]
        for point in points:
            atom = molecule.GetAtomWithIdx(point)
            atom.SetIsotope(0)
            atom.SetAtomMapNum(0)
            orders = [bond.GetBondType() for bond in atom.GetBonds()]
            beyond = [near for near in atom.GetNeighbors() if near.GetAtomicNum()]
            if orders != [Chem.BondType.SINGLE] or not beyond:
                raise InputError(
                    f"{smiles!r} has an attachment point * that is not at the end of one single "
                    "bond to an atom, as in *c1ccccc1: give another molecule."
                )
    return molecule, points
