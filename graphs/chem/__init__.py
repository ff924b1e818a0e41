"""Molecules to graphs and back; the only room that knows RDKit."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from refine_core.errors import InputError
from refine_core.exports import lazy

if find_spec("rdkit") is None:
    raise InputError("molecules need RDKit; pip install 'refine[graphs]'.")

if TYPE_CHECKING:
    from graphs.chem.collecting import Collected as Collected
    from graphs.chem.collecting import collect_molecules as collect_molecules
    from graphs.chem.collecting import reading_for as reading_for
    from graphs.chem.collecting import to_graphs as to_graphs
    from graphs.chem.reading import Parsed as Parsed
    from graphs.chem.reading import Reading as Reading
    from graphs.chem.reading import parse as parse
    from graphs.chem.writing import canonical as canonical
    from graphs.chem.writing import corrected as corrected
    from graphs.chem.writing import is_connected as is_connected
    from graphs.chem.writing import to_molecules as to_molecules
    from graphs.chem.writing import to_smiles as to_smiles
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
