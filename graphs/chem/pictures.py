"""Pictures of molecules."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.rdBase import BlockLogs

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write

SIDE = 200  # pixels for a molecule
WIDTH, HEIGHT = 220, 160  # of a molecule by itself
LARGEST = 32_767  # pixels of a side that Cairo can make

STYLE = {"clearBackground": False, "fixedBondLength": 28, "bondLineWidth": 1.6}
_DULL = re.compile(
    r"<\?xml.*?\?>|<!--.*?-->| class='[^']*'| xmlns:\w+='[^']*'| baseProfile='full'"
    r"|fill-rule:evenodd;|stroke-(dasharray:none|opacity:1|miterlimit:10|linejoin:miter|linecap:butt);",
    re.DOTALL,
)
"""What an SVG by RDKit looks the same without."""

log = logging.getLogger(__name__)


def plot_molecules(
    smiles: Sequence[str], path: str | Path, *, columns: int = 5, legends: Sequence[str] = ()
) -> None:
    """Plot molecules in rows.

    A .png holds a limited number; a warning says how many molecules it shows.

    Args:
        smiles: The molecules.
        path: The picture, .png or .svg.
        columns: Molecules in a row, or fewer if these are too wide.
        legends: A line under each molecule.

    Raises:
        InputError: There is no molecule, one cannot be read, or the suffix is another.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    drawings = {".png": rdMolDraw2D.MolDraw2DCairo, ".svg": rdMolDraw2D.MolDraw2DSVG}
    if suffix not in drawings:
        raise InputError(f"{path} has the suffix {path.suffix!r}; expected .png or .svg.")
    if not smiles:
        raise InputError("there is no molecule to plot; give at least one.")
    columns = min(columns, len(smiles), LARGEST // SIDE)
    most = columns * (LARGEST // SIDE)
    if suffix == ".png" and len(smiles) > most:
        log.warning(
            "%s shows the first %d of %d molecules, as a .png has no room for more; a .svg has",
            *(path, most, len(smiles)),
        )
        smiles, legends = smiles[:most], legends[:most]
    with BlockLogs():
        molecules = [Chem.MolFromSmiles(text) for text in smiles]
    for text, molecule in zip(smiles, molecules, strict=True):
        if molecule is None:
            raise InputError(f"{text!r} is not a molecule; leave it out.")
    rows = -(-len(molecules) // columns)
    drawing = drawings[suffix](columns * SIDE, rows * SIDE, SIDE, SIDE)
    drawing.DrawMolecules(molecules, legends=list(legends) or None)
    drawing.FinishDrawing()
    picture = drawing.GetDrawingText()
    with atomic_write(path) as temporary:
        temporary.write_bytes(picture if isinstance(picture, bytes) else picture.encode())


def draw_molecule(smiles: str) -> str:
    """Draw a valid molecule as SVG on a transparent ground.

    >>> draw_molecule("CCO").startswith("<svg ")
    True
    """
    drawing = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
    for name, value in STYLE.items():
        setattr(drawing.drawOptions(), name, value)
    drawing.DrawMolecule(Chem.MolFromSmiles(smiles))
    drawing.FinishDrawing()
    text = drawing.GetDrawingText()
    # Without comments, classes of atoms and bonds, and what is the default: half the size.
    return re.sub(r"\s+", " ", _DULL.sub("", text)).strip()
