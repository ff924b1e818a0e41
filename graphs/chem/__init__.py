"""Molecules to graphs and back; the only room that knows RDKit."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from refine_core.errors import InputError
from refine_core.exports import lazy

if find_spec("rdkit") is None:
    raise InputError("molecules need RDKit; pip install 'refine[graphs]'.")

if TYPE_CHECKING:
    from graphs.chem.attachment_points import has_hydrogens as has_hydrogens
    from graphs.chem.attachment_points import has_points as has_points
    from graphs.chem.attachment_points import probed as probed
    from graphs.chem.collection import Collected as Collected
    from graphs.chem.collection import collect_molecules as collect_molecules
    from graphs.chem.collection import parse_options as parse_options
    from graphs.chem.collection import to_graphs as to_graphs
    from graphs.chem.files import write_molecules as write_molecules
    from graphs.chem.mining import FragmentCounts as FragmentCounts
    from graphs.chem.mining import count_fragments as count_fragments
    from graphs.chem.mining import with_mined as with_mined
    from graphs.chem.parser import Parsed as Parsed
    from graphs.chem.parser import ParseOptions as ParseOptions
    from graphs.chem.parser import parse as parse
    from graphs.chem.pictures import draw_molecule as draw_molecule
    from graphs.chem.pictures import plot_molecules as plot_molecules
    from graphs.chem.properties import property_values as property_values
    from graphs.chem.smiles import atomic as atomic
    from graphs.chem.smiles import canonical as canonical
    from graphs.chem.smiles import corrected as corrected
    from graphs.chem.smiles import is_connected as is_connected
    from graphs.chem.smiles import to_molecules as to_molecules
    from graphs.chem.smiles import to_smiles as to_smiles
    from graphs.chem.substructure import contain as contain
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
