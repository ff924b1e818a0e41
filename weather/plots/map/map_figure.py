"""Figures of maps of one size in rows and columns, with colour bars below."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from weather.fields.arrays import Array
from weather.fields.labels import format_number
from weather.plots.map.colour_scale import ColourScale
from weather.plots.map.projections import View
from weather.plots.map.wrapped_grid import WrappedGrid

TOP, BOTTOM, LEFT, RIGHT = 0.85, 0.8, 0.42, 0.25
"""Inches around the maps."""
WIDEST_TITLE = 7.5
"""Inches that a heading takes."""
HEADED = 1.12
"""Inches above maps whose columns have headings."""
SIDE_BAR = 0.5
"""Inches that a colour bar beside a map takes."""
KNOTS = 3.6 / 1.852
"""Knots in a metre per second."""


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
    dashes: str | tuple[int, tuple[float, ...]] | None = None
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
        column = np.diff(wrapped.longitude).max()
        away = np.abs(wrapped.longitude - view.centre)
        self._inside = np.ix_(
            (latitude >= south - row) & (latitude <= north + row),
            (away <= view.width / 2 + column) | (view.width >= 360),
        )
        self._latitude = latitude[self._inside[0].ravel()]
        self._longitude, self._view = wrapped.longitude[self._inside[1].ravel()], view
        self._places = view.project(*np.meshgrid(self._longitude, self._latitude))

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

    def blank(self, cells: NDArray[np.bool_]) -> None:
        """Fill cells (H, W) in which nothing is shown with grey."""
        if cells.any():
            self._clipped(
                self.axis.contourf(
                    *self._places,
                    self._closed(cells.astype(np.float32)),
                    levels=[0.01, 1.5],
                    colors=["#dddddd"],
                    zorder=0.9,
                )
            )

    def contour(
        self, values: Array, levels: Array, style: LineStyle = CONTOURS, labels: float = 0.0
    ) -> None:
        """Plot contours of a map (H, W), at those levels that it reaches.

        Args:
            values: (H, W).
            levels: Levels, ascending.
            style: How lines look.
            labels: Size of the labels of lines, in points; 0 for none.
        """
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
                linestyles=None if style.dashes is None else [style.dashes],
                alpha=style.alpha,
                zorder=style.order,
            )
        )
        if labels:
            self._label(lines, inside, labels)

    def title(
        self, text: str, size: float = 8.5, pad: float | None = None, *, bold: bool = False
    ) -> None:
        """Write above the map."""
        default = 4 if self._clip is None else 11
        weight = "bold" if bold else "normal"
        pad = default if pad is None else pad
        self.axis.set_title(text, fontsize=size, pad=pad, fontweight=weight)

    def barbs(self, wind: Array, gap: float) -> None:
        """Plot a wind as barbs, which are in knots, and on the side of low pressure.

        Args:
            wind: (2, H, W) eastward and northward, in m s-1.
            gap: Inches from one barb to the next, at least.
        """
        parts = [self._closed(part) for part in wind]
        x, y = self._places
        rows, columns = self._spaced(gap)
        east, north = self._directions()
        shown = np.zeros(x.shape, bool)
        shown[rows, columns] = True
        shown &= self._is_inside(x, y) & ~(parts[0].mask | parts[1].mask)
        shown &= np.abs(self._latitude[:, None]) < 89.9  # poles have no north
        across, up = (
            (e * parts[0] + n * parts[1])[shown] * KNOTS for e, n in zip(east, north, strict=True)
        )
        southern = np.broadcast_to(self._latitude[:, None] < 0, x.shape)[shown]
        self.axis.barbs(
            *(x[shown], y[shown], across, up),
            length=4.6,
            linewidth=0.55,
            flip_barb=southern,
            sizes={"emptybarb": 0.12, "spacing": 0.16, "height": 0.45},
            zorder=3.2,
        )

    def _spaced(self, gap: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of grid points that are at least about `gap` inches apart."""
        box = self.axis.get_position()
        size = self.axis.figure.get_size_inches()[0] * box.width  # type: ignore[union-attr]
        unit = size / abs(np.subtract(*self.axis.get_xlim()))
        x, y = (place * unit for place in self._places)
        rows: list[int] = []
        for row in range(len(x)):
            if not rows or np.hypot(x[row, 0] - x[rows[-1], 0], y[row, 0] - y[rows[-1], 0]) > gap:
                rows.append(row)
        found: list[tuple[int, int]] = []
        for row in rows:
            step = np.hypot(x[row, 1] - x[row, 0], y[row, 1] - y[row, 0])
            stride = int(np.clip(np.ceil(gap / max(step, 1e-9)), 1, x.shape[1]))
            found += [(row, column) for column in range(1, x.shape[1] - 1, stride)]
        chosen = np.asarray(found, np.intp).reshape(-1, 2)
        return chosen[:, 0], chosen[:, 1]

    def _directions(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Unit vectors east and north on the axis, (x, y) each, at every place."""
        longitude, latitude = np.meshgrid(self._longitude, self._latitude)
        inner = np.clip(latitude, -89.9, 89.9)
        start = self._view.project(longitude, inner)
        pairs = []
        for east, north in ((0.01, 0.0), (0.0, 0.01)):
            end = self._view.project(longitude + east, inner + north)
            dx, dy = end[0] - start[0], end[1] - start[1]
            length = np.hypot(dx, dy) + 1e-30
            pairs.append((dx / length, dy / length))
        return pairs[0], pairs[1]

    def _is_inside(self, x: Array, y: Array) -> NDArray[np.bool_]:
        """Whether places are within the map, away from its edge."""
        if self._clip is not None:
            return np.asarray(np.hypot(x, y) < 0.97)
        (west, east), (south, north) = self.axis.get_xlim(), self.axis.get_ylim()
        inside = (x >= west) & (x < east) & (y > south) & (y < north)
        return np.asarray(inside)

    def _label(self, lines: QuadContourSet, levels: Array, size: float) -> None:
        """Write the levels on their lines, where that is within the map and free."""
        names = {level: format_number(level) for level in levels}
        taken: list[tuple[float, float]] = []
        box = self.axis.get_window_extent()
        for text in lines.clabel(fontsize=size, fmt=names, inline_spacing=3):
            x, y = self.axis.transLimits.transform(text.get_position())
            outside = not (0.03 < x < 0.97 and 0.04 < y < 0.96)
            if self._clip is not None:
                outside = np.hypot(*text.get_position()) > 0.92
            place = x * box.width, y * box.height
            apart = 4.5 * size * self.axis.figure.dpi / 72
            near = any(np.hypot(place[0] - a, place[1] - b) < apart for a, b in taken)
            text.set_visible(not (outside or near))
            text.set_path_effects([withStroke(linewidth=1.6, foreground="white")])
            if text.get_visible():
                taken.append(place)

    def _closed(self, values: Array) -> np.ma.MaskedArray[tuple[int, ...], np.dtype[np.floating]]:
        return np.ma.masked_invalid(self._wrapped(values)[self._inside])

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
        bottom: Inches for colour bars below.
        right: Inches to the right of the last column.
        top: Inches above, for a heading.
    """

    def __init__(
        self,
        count: int,
        columns: int,
        view: View,
        width: float,
        gap: tuple[float, float] = (0.4, 0.5),
        bottom: float = BOTTOM,
        right: float = RIGHT,
        top: float = TOP,
    ) -> None:
        rows, height = -(-count // columns), width * view.ratio
        across, down = gap
        needed = LEFT + columns * (width + across) - across + right
        self._wide = max(WIDEST_TITLE, needed)
        left = LEFT + (self._wide - needed) / 2
        self._tall = top + rows * (height + down) - down + bottom
        self._columns = [left + column * (width + across) for column in range(columns)]
        self._width, self._bottom, self._margin = width, bottom, view.margin
        self.figure = Figure(figsize=(self._wide, self._tall))
        self.axes: list[Axes] = []
        for place in range(count):
            row, column = divmod(place, columns)
            upper = self._tall - top - row * (height + down)
            self.axes.append(self._axis(self._columns[column], upper - height, width, height))

    def heading(self, column: int, text: str) -> None:
        """Write what a column shows, in bold type above it."""
        left = self._columns[column] / self._wide
        up = self.axes[0].get_position().y1 + (0.3 + self._margin / 2) / self._tall
        self.figure.text(left, up, text, fontsize=9, fontweight="bold", va="bottom")

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
        _finish(bar, contours)

    def side_bar(self, index: int, contours: QuadContourSet) -> None:
        """Put a colour bar to the right of a map."""
        box = self.axes[index].get_position()
        left, low = box.x1 * self._wide + 0.07 + self._margin, box.y0 * self._tall
        height = box.height * self._tall
        size = min(height, 2.4)
        axis = self._axis(left, low + (height - size) / 2, 0.1, size)
        _finish(self.figure.colorbar(contours, cax=axis), contours)

    def _axis(self, left: float, bottom: float, width: float, height: float) -> Axes:
        wide, tall = self._wide, self._tall
        return self.figure.add_axes((left / wide, bottom / tall, width / wide, height / tall))


def _finish(bar: Colorbar, contours: QuadContourSet) -> None:
    """Set the ticks of a colour bar: those of both signs alike, or as many as can be read."""
    levels = np.asarray(contours.levels, np.float64)
    if levels[0] == -levels[-1]:
        positive = levels[levels > 0]
        wanted = positive[:: max(1, -(-len(positive) // 5))]
        levels = np.concatenate([-wanted[::-1], wanted])
    else:
        levels = levels[:: -(-len(levels) // 10)]
    bar.set_ticks(list(levels))
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_linewidth(0.4)
