"""Figures with a row of maps for each lead time: what all such pictures share."""

from collections.abc import Sequence
from dataclasses import dataclass

from weather.fields.arrays import Array
from weather.fields.grid import Grid
from weather.plots.map.colour_scale import ColourScale
from weather.plots.map.map_figure import CONTOURS, HEADED, SIDE_BAR, LineStyle, MapAxis, MapFigure
from weather.plots.map.projections import View
from weather.plots.map.wrapped_grid import WrappedGrid

THIN = LineStyle("#444444", 0.4)
"""Lines below which colours have to be read."""
BARB_GAP = 0.23
"""Inches between barbs."""


@dataclass(frozen=True)
class Panel:
    """One map, in the units of the picture.

    Args:
        title: Written above.
        shaded: (H, W) what colours show; None where it is not known.
        scale: Colours.
        lines: (H, W) what lines show; None for no lines.
        wind: (2, H, W) eastward and northward wind in m s-1, for barbs; None for none.
    """

    title: str
    shaded: Array | None = None
    scale: ColourScale | None = None
    lines: Array | None = None
    wind: Array | None = None


@dataclass(frozen=True)
class Column:
    """Maps one below the other, a lead time each.

    Args:
        heading: What they show, and the unit.
        panels: The maps.
    """

    heading: str
    panels: Sequence[Panel]


def plot_columns(columns: Sequence[Column], view: View, grid: Grid, levels: Array) -> MapFigure:
    """A figure with columns of maps and a colour bar beside each map.

    Args:
        columns: Of as many maps each; lines of the first are labelled.
        view: Part of the globe.
        grid: Grid of the maps.
        levels: Values of the lines.
    """
    count, rows = len(columns), len(columns[0].panels)
    wide = view.ratio < 0.8
    has_barbs = any(panel.wind is not None for panel in columns[0].panels)
    width = (5.0 if has_barbs or count < 3 else 3.7) if wide else 4.2 if has_barbs else 3.2
    right, down = SIDE_BAR + view.margin, 0.36 + view.margin
    top = HEADED + view.margin / 2
    gap = (right + 0.15, down)
    maps = MapFigure(rows * count, count, view, width, gap, bottom=0.35, right=right, top=top)
    wrapped = WrappedGrid(grid, view.centre)
    for place, column in enumerate(columns):
        maps.heading(place, column.heading)
        for row, panel in enumerate(column.panels):
            index = row * count + place
            map_axis = MapAxis(maps.axes[index], view, wrapped, labels=not place)
            map_axis.title(panel.title)
            if panel.shaded is not None and panel.scale is not None:
                maps.side_bar(index, map_axis.shade(panel.shaded, panel.scale))
            if panel.lines is not None:
                style, labels = (THIN, 0.0) if place else (CONTOURS, 6.5)
                map_axis.contour(panel.lines, levels, style, labels)
            if panel.wind is not None:
                map_axis.barbs(panel.wind, BARB_GAP)
    return maps
