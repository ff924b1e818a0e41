"""Whether molecules contain another one."""

from collections.abc import Sequence

from rdkit import Chem
from rdkit.rdBase import BlockLogs

from graphs.chem.parser import Parsed, parse
from refine_core.errors import InputError


def contain(smiles: Sequence[str | None], scaffold: str) -> list[bool]:
    """Whether each of n molecules has a scaffold's atoms and bonds, as RDKit sees them.

    Isotopes and stereochemistry do not count. That a ring is aromatic does: a chain's bonds are
    not found in one, though alternating bonds would be there.

    >>> contain(["Cc1ccccc1", "CC", None], "c1ccccc1")
    [True, False, False]

    Args:
        smiles: The molecules; None stands for one that does not exist.
        scaffold: SMILES.

    Raises:
        InputError: The scaffold is not a molecule.
    """
    read = parse(scaffold)
    if not isinstance(read, Parsed):
        raise InputError(f"{scaffold!r} cannot be used: {read}; give another molecule.")
    with BlockLogs():
        query = Chem.MolFromSmiles(read.smiles)
        found = [Chem.MolFromSmiles(text) if text else None for text in smiles]
        return [each is not None and each.HasSubstructMatch(query) for each in found]
