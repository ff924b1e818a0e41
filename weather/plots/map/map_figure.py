"""Figures of maps of one size in rows and columns, with colour bars below."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure

from weather.fields.arrays import Array
from weather.plots.map.colour_scale import ColourScale
from weather.plots.map.projections import View
from weather.plots.map.wrapped_grid import WrappedGrid

TOP, BOTTOM, LEFT, RIGHT = 0.85, 0.8, 0.42, 0.25
"""Inches around the maps."""
WIDEST_TITLE = 7.5
"""Inches that a heading takes."""


@dataclass(frozen=True)
class LineStyle:
    """How contours are plotted.

    Args:
        colour: Colour of all lines.
        width: Width of lines in points.
        order: Those of higher order lie above others.
        dashes: Style of the dashes; by default lines of negative values are dashed.
        alpha: Opacity.
    """

    colour: str = "black"
    width: float = 0.75
    order: float = 3
    dashes: str | None = None
    alpha: float | None = None


CONTOURS = LineStyle()


class MapAxis:
    """An axis with a map.

    Args:
        axis: The axis to plot on.
        view: Part of the globe.
        wrapped: Grid of the values.
        labels: Whether meridians and parallels are labelled.
        coast: Width of coastlines.
    """

    def __init__(
        self,
        axis: Axes,
        view: View,
        wrapped: WrappedGrid,
        *,
        labels: bool = True,
        coast: float = 0.6,
    ) -> None:
        self.axis = axis
        self._wrapped = wrapped
        self._clip = view.prepare(axis, labels=labels, coast=coast)
        south, north = view.latitudes
        latitude = wrapped.latitude
        row = np.diff(latitude).max()
        self._rows = (latitude >= south - row) & (latitude <= north + row)
        self._places = view.project(*np.meshgrid(wrapped.longitude, latitude[self._rows]))

    def shade(self, values: Array, scale: ColourScale) -> QuadContourSet:
        """Colour a map (H, W) by value."""
        return self._clipped(
            self.axis.contourf(
                *self._places,
                self._closed(values),
                levels=scale.levels,
                cmap=scale.colours,
                norm=scale.norm,
                extend=scale.extend,
                zorder=1,
            )
        )

    def contour(
        self, values: Array, levels: Array, style: LineStyle = CONTOURS, *, labels: bool = False
    ) -> None:
        """Plot contours of a map (H, W), at those levels that it reaches."""
        closed = self._closed(values)
        inside = levels[(levels > closed.min()) & (levels < closed.max())]
        if not len(inside):
            return
        lines = self._clipped(
            self.axis.contour(
                *self._places,
                closed,
                inside,
                colors=style.colour,
                linewidths=style.width,
                linestyles=style.dashes,
                alpha=style.alpha,
                zorder=style.order,
            )
        )
        if labels:
            self._label(lines, inside)

    def title(
        self, text: str, size: float = 8.5, pad: float | None = None, *, bold: bool = False
    ) -> None:
        """Write above the map."""
        default = 4 if self._clip is None else 11
        weight = "bold" if bold else "normal"
        pad = default if pad is None else pad
        self.axis.set_title(text, fontsize=size, pad=pad, fontweight=weight)

    def _label(self, lines: QuadContourSet, levels: Array) -> None:
        """Write the levels on their lines, where that is within the map."""
        names = {level: f"{level:g}".replace("-", "−") for level in levels}
        for text in lines.clabel(fontsize=6.5, fmt=names, inline_spacing=5):
            x, y = self.axis.transLimits.transform(text.get_position())
            outside = not (0.02 < x < 0.98 and 0.02 < y < 0.98)
            if self._clip is not None:
                outside = np.hypot(*text.get_position()) > 0.95
            text.set_visible(not outside)

    def _closed(self, values: Array) -> np.ma.MaskedArray[tuple[int, ...], np.dtype[np.floating]]:
        return np.ma.masked_invalid(self._wrapped(values)[self._rows])

    def _clipped(self, contours: QuadContourSet) -> QuadContourSet:
        if self._clip is not None:
            contours.set_clip_path(self._clip)
        return contours


class MapFigure:
    """A figure with rows and columns of maps.

    Args:
        count: How many maps there are; they fill one row after the other.
        columns: Number of maps in a row.
        view: Part of the globe that all maps show.
        width: Width of a map, in inches.
        gap: Inches between maps, across and down.
        bottom: Inches for colour bars.
    """

    def __init__(
        self,
        count: int,
        columns: int,
        view: View,
        width: float,
        gap: tuple[float, float] = (0.4, 0.5),
        bottom: float = BOTTOM,
    ) -> None:
        rows, height = -(-count // columns), width * view.ratio
        across, down = gap
        needed = LEFT + columns * (width + across) - across + RIGHT
        self._wide = max(WIDEST_TITLE, needed)
        left = LEFT + (self._wide - needed) / 2
        self._tall = TOP + rows * (height + down) - down + bottom
        self._columns = [left + column * (width + across) for column in range(columns)]
        self._width, self._bottom = width, bottom
        self.figure = Figure(figsize=(self._wide, self._tall))
        self.axes: list[Axes] = []
        for place in range(count):
            row, column = divmod(place, columns)
            upper = self._tall - TOP - row * (height + down)
            self.axes.append(self._axis(self._columns[column], upper - height, width, height))

    def colour_bar(
        self, columns: Sequence[int], contours: QuadContourSet, label: str, most: float = 4.2
    ) -> None:
        """Put a colour bar, at most `most` inches wide, below some columns."""
        left = self._columns[columns[0]]
        width = self._columns[columns[-1]] + self._width - left
        size = min(width, most)
        axis = self._axis(left + (width - size) / 2, self._bottom - 0.42, size, 0.11)
        bar = self.figure.colorbar(contours, cax=axis, orientation="horizontal")
        bar.set_label(label, fontsize=8, labelpad=2)
        levels = np.asarray(contours.levels, np.float64)
        if levels[0] == -levels[-1]:  # label both signs alike
            positive = levels[levels > 0]
            wanted = positive[:: max(1, -(-len(positive) // 5))]
            bar.set_ticks([*-wanted[::-1], *wanted])
        bar.ax.tick_params(labelsize=7, length=2)
        bar.outline.set_linewidth(0.4)

    def _axis(self, left: float, bottom: float, width: float, height: float) -> Axes:
        wide, tall = self._wide, self._tall
        return self.figure.add_axes((left / wide, bottom / tall, width / wide, height / tall))
