"""Pictures of molecules."""

from collections.abc import Sequence
from pathlib import Path

from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.rdBase import BlockLogs

from refine_core.errors import InputError
from refine_core.files import atomic_write

SIDE = 200  # of a molecule's cell, in pixels


def draw_grid(
    smiles: Sequence[str], path: str | Path, *, columns: int = 5, legends: Sequence[str] = ()
) -> None:
    """Draw molecules in rows, as `.png` or `.svg`.

    Args:
        smiles: The molecules.
        path: The picture.
        columns: Molecules in a row.
        legends: A line under each.

    Raises:
        InputError: There is no molecule, one cannot be read, or the suffix is another.
    """
    path = Path(path)
    drawings = {".png": rdMolDraw2D.MolDraw2DCairo, ".svg": rdMolDraw2D.MolDraw2DSVG}
    if path.suffix not in drawings:
        raise InputError(f"{path} has the suffix {path.suffix!r}; expected .png or .svg.")
    if not smiles:
        raise InputError("there is no molecule to draw; give one at least.")
    with BlockLogs():
        molecules = [Chem.MolFromSmiles(text) for text in smiles]
    for text, molecule in zip(smiles, molecules, strict=True):
        if molecule is None:
            raise InputError(f"{text!r} is not a molecule; leave it out.")
    rows, columns = -(-len(molecules) // columns), min(columns, len(molecules))
    drawing = drawings[path.suffix](columns * SIDE, rows * SIDE, SIDE, SIDE)
    drawing.DrawMolecules(molecules, legends=list(legends) or None)
    drawing.FinishDrawing()
    picture = drawing.GetDrawingText()
    with atomic_write(path) as temporary:
        temporary.write_bytes(picture if isinstance(picture, bytes) else picture.encode())
