"""Chemistry, the only part that knows RDKit: molecules to graphs and back.

Reading: `parse` one molecule, `collect_molecules` many, `to_graphs` a few for a given vocabulary.
Writing: `to_smiles` raw, `corrected` repaired, `graphs.chem.output` to files,
`graphs.chem.drawing` as pictures.
"""

from importlib.util import find_spec

from refine_core.errors import InputError

if find_spec("rdkit") is None:
    raise InputError("molecules need RDKit; pip install 'refine[graphs]'.")

from graphs.chem.collecting import Collected, collect_molecules, reading_for, to_graphs
from graphs.chem.reading import Parsed, Reading, parse
from graphs.chem.writing import canonical, corrected, is_connected, to_molecules, to_smiles

__all__ = [
    "Collected",
    "Parsed",
    "Reading",
    "canonical",
    "collect_molecules",
    "corrected",
    "is_connected",
    "parse",
    "reading_for",
    "to_graphs",
    "to_molecules",
    "to_smiles",
]
