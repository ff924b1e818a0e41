"""Figures with a panel for each variable or lead time, and what their panels share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from refine_core.app.figures import PALETTE, save
from weather.fields.labels import move_apart

COLUMNS = 4
"""Panels in a row, at most."""
GAP = 0.45
"""Height of the gap between two panels, over that of a panel."""
NARROWEST = 7.0
"""Inches that a heading or a legend takes."""
MAIN, *OTHERS = PALETTE
DOTTED = (0, (1, 1.2))
Colour = tuple[float, float, float, float]
Dashes = str | tuple[int, tuple[float, ...]]
BASELINES: dict[str, tuple[str, Dashes]] = {
    "climatology": ("#8a8a8a", DOTTED),
    "climatological ensemble": ("#5a5a5a", "-"),
    "persistence": ("#b5803a", DOTTED),
    "dressed persistence": ("#b5803a", "-"),
}


@dataclass(frozen=True)
class Line:
    """How a line looks, in a panel and in a legend.

    Args:
        colour: Colour of the line and its markers.
        width: Width of the line in points.
        dashes: Dashes as matplotlib names or measures them.
        marker: Its name; empty for none.
        face: Colour inside the markers; by default that of the line.
        alpha: Opacity.
        order: Those of higher order lie above others.
    """

    colour: str | Colour
    width: float = 1.5
    dashes: Dashes = "-"
    marker: str = ""
    face: str | None = None
    alpha: float | None = None
    order: float = 2.0

    def artist(self, x: ArrayLike = (), y: ArrayLike = ()) -> Line2D:
        """The line through points (x, y); without any, for a legend."""
        return Line2D(
            np.asarray(x),
            np.asarray(y),
            color=self.colour,
            lw=self.width,
            ls=self.dashes,
            marker=self.marker,
            ms=3.5,
            mfc=self.face or self.colour,
            alpha=self.alpha,
            zorder=self.order,
        )

    def plot(self, axis: Axes, x: ArrayLike, y: ArrayLike) -> None:
        """Plot the line through points (x, y)."""
        axis.add_line(self.artist(x, y))
        axis.autoscale_view()


def panels(
    names: Sequence[str], margin: float = 0.2, bottom: float = 0.9, under: float = 0.0
) -> tuple[Figure, list[tuple[Axes, str]]]:
    """A figure with a panel for each name.

    Args:
        names: Names of channels or lead times.
        margin: Inches to the right, for labels.
        bottom: Inches below, for a legend.
        under: Inches under each panel, for `panel_under`.
    """
    rows = -(-len(names) // COLUMNS)
    columns = -(-len(names) // rows)
    left, top = 0.65, 0.8  # inches; an automatic layout takes seconds
    width = max(NARROWEST, left + 2.7 * columns + margin)
    bottom += under
    free = 2.6 * rows - 0.5  # of panels and the gaps between them
    panel = free / (rows + GAP * (rows - 1))
    height = top + free + under * (rows - 1) + bottom
    figure = Figure(figsize=(width, height))
    grid = figure.subplots(
        rows,
        columns,
        squeeze=False,
        gridspec_kw={
            "left": left / width,
            "right": 1 - margin / width,
            "top": 1 - top / height,
            "bottom": bottom / height,
            "wspace": 0.27,
            "hspace": GAP + under / panel,
        },
    )
    axes: list[Axes] = list(grid.flat)
    for axis in axes[len(names) :]:
        axis.axis("off")
    return figure, list(zip(axes, names, strict=False))


def panel_under(axis: Axes, inches: float) -> Axes:
    """A low panel with the same horizontal axis, that many inches of it and its gap under one."""
    figure = axis.get_figure()
    assert isinstance(figure, Figure)
    share = inches / (axis.get_position().height * figure.get_figheight())
    axis.tick_params(labelbottom=False)
    return axis.inset_axes((0, -share, 1, 0.85 * share), sharex=axis)


def is_leftmost(axis: Axes) -> bool:
    """Whether a panel is the first of its row."""
    spec = axis.get_subplotspec()
    return spec is not None and spec.is_first_col()


def is_rightmost(axis: Axes) -> bool:
    """Whether a panel is in the last column."""
    spec = axis.get_subplotspec()
    return spec is not None and spec.is_last_col()


def forecast_lines(names: Sequence[str]) -> dict[str, Line]:
    """The line of each forecast by name, the first being the one verified."""
    first, *others = names
    result = {first: Line(MAIN, 2.4, order=2.4)}
    free = iter(OTHERS * len(others))
    for name in others:
        colour, dashes = BASELINES[name] if name in BASELINES else (next(free), "-")
        result[name] = Line(colour, 1.4, dashes, order=1.4)
    return result


def lead_colours(lead_days: Sequence[float], most: int = 4) -> dict[int, Colour]:
    """Colours of some lead times, by index: the longer, the darker."""
    count = min(most, len(lead_days))
    leads = [round(i * (len(lead_days) - 1) / max(1, count - 1)) for i in range(count)]
    shades = matplotlib.colormaps["YlGnBu"](np.linspace(0.35, 0.95, len(leads)))
    return {lead: (r, g, b, a) for lead, (r, g, b, a) in zip(leads, shades, strict=True)}


def lead_legend(
    figure: Figure, lead_days: Sequence[float], others: Mapping[str, Line], rows: int = 1
) -> None:
    """Add a legend of lead times, and of other lines by name."""
    lines = {
        f"{lead_days[lead]:g} d": Line(colour, 2.4)
        for lead, colour in lead_colours(lead_days).items()
    } | dict(others)
    add_legend(figure, lines, -(-len(lines) // rows), 9)


def add_legend(figure: Figure, lines: Mapping[str, Line], columns: int, size: float = 8.5) -> None:
    """Add a legend at the bottom of a figure."""
    handles = [line.artist() for line in lines.values()]
    figure.legend(handles, list(lines), loc="lower center", ncols=columns, fontsize=size)


def label_line_ends(axis: Axes, ends: Mapping[str, tuple[float, str | Colour]], bold: str) -> None:
    """Write names where lines end, to the right of an axis, so that they do not overlap.

    Args:
        axis: An axis whose limits are set.
        ends: Height and colour by name.
        bold: The name in bold type.
    """
    low, high = axis.get_ylim()
    heights = move_apart([(y - low) / (high - low) for y, _ in ends.values()], 0.085)
    for (name, (_, colour)), height in zip(ends.items(), heights, strict=True):
        axis.annotate(
            name,
            (1.03, height),
            xycoords="axes fraction",
            color=colour,
            fontsize=8.5,
            va="center",
            fontweight="bold" if name == bold else "normal",
            annotation_clip=False,
        )


def wavenumber_axis(axis: Axes, most: int) -> None:
    """Make both axes logarithmic, the lower one that of wavenumbers from 1."""
    axis.set(xscale="log", yscale="log", xlim=(1, most), xlabel="zonal wavenumber")
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500) if k <= most]
    axis.set_xticks(ticks, map(str, ticks))
    axis.minorticks_off()


def save_with_heading(figure: Figure, path: Path, heading: str, about: str = "") -> None:
    """Write a figure, in 256 colours, with a heading at the upper left, see `add_heading`."""
    add_heading(figure, heading, about)
    save(figure, path, dpi=130, colours=256)


def add_heading(figure: Figure, heading: str, about: str = "") -> None:
    """Write a heading at the upper left of a figure, and a line about it below."""
    width, height = figure.get_size_inches()
    left, top = 0.15 / width, 1 - 0.15 / height
    figure.text(left, top, heading, ha="left", va="top", fontsize=12, fontweight="bold")
    if about:
        below = top - 0.25 / height
        figure.text(left, below, about, ha="left", va="top", fontsize=8.5, color="#555555")
