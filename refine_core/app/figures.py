"""Figures: one palette, one style, one way to write them.

Figures are made as `matplotlib.figure.Figure`, without pyplot: so nothing has to be closed, and
the backend of a program that uses this library stays what it is.
"""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours of lines, told apart by colour-blind readers too (Okabe and Ito, 2008)."""
REFERENCE, FAINT = "#6b6b6b", "#e8e8e8"
"""Colours of floors, baselines and truths; of grids."""
FORMATS: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}
"""Suffixes of figures, with the metadata that would differ from one run to the next."""
STYLE: dict[str, object] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.prop_cycle": f"cycler('color', {list(PALETTE)})",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "svg.hashsalt": "refine",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Make and save figures in the style of the reports; pictures turn `axes.grid` off."""
    from matplotlib import rc_context

    with rc_context(STYLE):  # type: ignore[arg-type]  # its keys are literals
        yield


def save(
    figure: "Figure", path: str | Path, *, dpi: int = 120, colours: int | None = None
) -> None:
    """Write a figure; the same figure gives the same bytes. One of pyplot's is closed.

    Args:
        figure: Made within `house_style`, which should still hold.
        path: A .png, .svg or .pdf file.
        dpi: Pixels an inch of a .png file.
        colours: Colours of a .png file: as many at most, which makes it smaller.

    Raises:
        InputError: The suffix is another.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path} ends with {path.suffix!r}: give one of {', '.join(FORMATS)}.")
    buffer = io.BytesIO()
    metadata = FORMATS[suffix]
    figure.savefig(buffer, dpi=dpi, format=suffix[1:], metadata=metadata)
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(figure)
    with atomic_write(path) as temporary:
        if colours and suffix == ".png":
            from PIL import Image

            # The median cut, which is the default, turns rare colours into others.
            few = (
                Image.open(buffer)
                .convert("RGB")
                .quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            )
            few.save(temporary, format="png", optimize=True)
        else:
            temporary.write_bytes(buffer.getbuffer())
