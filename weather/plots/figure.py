"""A figure with a panel for each variable, and what its panels share."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.lines import Line2D
from PIL import Image

from refine_core.storage.files import atomic_write
from weather.fields.labels import best_known, move_apart

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 - the backend is chosen first

MOST, COLUMNS = 12, 4
"""Panels in a figure, and in a row."""
NARROWEST = 7.0
"""Inches that a heading or a legend takes."""
MAIN, OTHERS = "#1261a0", ("#d1495b", "#2e8b57", "#8e5ea2", "#22b5c4")
BASELINES: dict[str, tuple[str, Any]] = {
    "climatology": ("#8a8a8a", (0, (1, 1.2))),
    "climatological ensemble": ("#5a5a5a", "-"),
    "persistence": ("#b5803a", (0, (1, 1.2))),
    "dressed persistence": ("#b5803a", "-"),
}
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e8e8e8",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.edgecolor": "#666666",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the style of the reports."""
    with plt.rc_context(STYLE):
        yield


def panels(
    channels: Sequence[str], margin: float = 0.2, bottom: float = 0.9
) -> tuple[Any, list[tuple[Any, str]]]:
    """A figure, and an axis for each of at most `MOST` channels.

    Args:
        channels: Names.
        margin: Inches to the right, for labels.
        bottom: Inches below, for a legend.
    """
    channels = best_known(channels, MOST)
    columns = min(COLUMNS, len(channels))
    rows = -(-len(channels) // columns)
    left, top = 0.65, 0.8  # inches; an automatic layout takes seconds
    width = max(NARROWEST, left + 2.7 * columns + margin)
    height = top + 2.6 * rows - 0.5 + bottom
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(width, height),
        squeeze=False,
        gridspec_kw={
            "left": left / width,
            "right": 1 - margin / width,
            "top": 1 - top / height,
            "bottom": bottom / height,
            "wspace": 0.27,
            "hspace": 0.45,
        },
    )
    for axis in axes.flat[len(channels) :]:
        axis.axis("off")
    return figure, list(zip(axes.flat, channels, strict=False))


def look(names: Sequence[str]) -> dict[str, tuple[str, Any, float]]:
    """Colour, dashes and width of each forecast's line, the first being the one verified."""
    first, *others = names
    result: dict[str, tuple[str, Any, float]] = {first: (MAIN, "-", 2.4)}
    free = iter(OTHERS * len(others))
    for name in others:
        colour, dashes = BASELINES[name] if name in BASELINES else (next(free), "-")
        result[name] = (colour, dashes, 1.4)
    return result


def lead_colours(lead_days: Sequence[float], most: int = 4) -> dict[int, Any]:
    """Colours of some lead times, by index: the longer, the darker."""
    count = min(most, len(lead_days))
    leads = [round(i * (len(lead_days) - 1) / max(1, count - 1)) for i in range(count)]
    shades = plt.get_cmap("YlGnBu")(np.linspace(0.35, 0.95, len(leads)))
    return dict(zip(leads, shades, strict=True))


def lead_legend(
    figure: Any, lead_days: Sequence[float], marks: Mapping[str, Mapping[str, Any]], rows: int = 1
) -> None:
    """Legend of lead times, and of other lines by name and looks."""
    lines = {
        f"{lead_days[lead]:g} d": {"color": colour, "lw": 2.4}
        for lead, colour in lead_colours(lead_days).items()
    }
    handles = [Line2D([], [], **dict(each)) for each in (lines | dict(marks)).values()]
    names = [*lines, *marks]
    figure.legend(handles, names, loc="lower center", ncols=-(-len(names) // rows), fontsize=9)


def label_ends(axis: Any, ends: Mapping[str, tuple[float, str]], bold: str) -> None:
    """Write names where lines end, to the right of an axis, moved apart.

    Args:
        axis: With its limits set.
        ends: Height and colour by name.
        bold: The name to stress.
    """
    low, high = axis.get_ylim()
    places = move_apart([(y - low) / (high - low) for y, _ in ends.values()], 0.085)
    for (name, (_, colour)), place in zip(ends.items(), places, strict=True):
        axis.annotate(
            name,
            (1.03, place),
            xycoords="axes fraction",
            color=colour,
            fontsize=8.5,
            va="center",
            fontweight="bold" if name == bold else "normal",
            annotation_clip=False,
        )


def wave_axis(axis: Any, most: int) -> None:
    """Make both axes logarithmic, the lower one that of wavenumbers from 1."""
    axis.set(xscale="log", yscale="log", xlim=(1, most), xlabel="zonal wavenumber")
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500) if k <= most]
    axis.set_xticks(ticks, map(str, ticks))
    axis.minorticks_off()


def save(figure: Any, path: Path, heading: str, about: str = "") -> None:
    """Write a figure, in 256 colours, with a heading at the upper left, see `head`."""
    head(figure, heading, about)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=130, format="png")
    plt.close(figure)
    few = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    with atomic_write(path) as temporary:
        few.save(temporary, format="png", optimize=True)


def head(figure: Any, heading: str, about: str = "") -> None:
    """Write a heading at the upper left of a figure, and a line about it below."""
    width, height = figure.get_size_inches()
    left, top = 0.15 / width, 1 - 0.15 / height
    figure.text(left, top, heading, ha="left", va="top", fontsize=12, fontweight="bold")
    if about:
        below = top - 0.25 / height
        figure.text(left, below, about, ha="left", va="top", fontsize=8.5, color="#555555")
