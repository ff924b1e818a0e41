"""A sheet of maps of one size, with colour bars below; and what is drawn on a map."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from weather.fields.arrays import Array
from weather.plots.display import Scale
from weather.plots.map.projections import View
from weather.plots.map.wrapped_grid import Surface

TOP, BOTTOM, LEFT, RIGHT = 0.85, 0.8, 0.42, 0.25
"""Inches around the maps."""
WIDEST_TITLE = 7.5
"""Inches that a heading takes."""


class MapAxis:
    """A map.

    Args:
        axis: To draw on.
        view: What it shows of the globe.
        surface: Of the values.
        labels: Whether meridians and parallels are named.
        coast: Width of coastlines.
    """

    def __init__(
        self,
        axis: Any,
        view: View,
        surface: Surface,
        *,
        labels: bool = True,
        coast: float = 0.6,
    ) -> None:
        self.axis = axis
        self._surface = surface
        self._clip = view.prepare(axis, labels=labels, coast=coast)
        south, north = view.latitudes
        row = np.diff(surface.latitude).max()
        latitude = surface.latitude
        self._rows = (latitude >= south - row) & (latitude <= north + row)
        self._places = view.place(*np.meshgrid(surface.longitude, latitude[self._rows]))

    def shade(self, values: Array, scale: Scale) -> Any:
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

    def lines(self, values: Array, levels: Array, *, named: bool = False, **looks: Any) -> None:
        """Draw contours of a map (H, W), as far as it reaches the levels."""
        closed = self._closed(values)
        inside = levels[(levels > closed.min()) & (levels < closed.max())]
        if not len(inside):
            return
        drawn = self._clipped(self.axis.contour(*self._places, closed, inside, **looks))
        if named:
            names = {level: f"{level:g}".replace("-", "−") for level in inside}
            texts = drawn.clabel(fontsize=6.5, fmt=names, inline_spacing=5)
            for text in texts:
                x, y = self.axis.transLimits.transform(text.get_position())
                outside = not (0.02 < x < 0.98 and 0.02 < y < 0.98)
                if self._clip is not None:
                    outside = np.hypot(*text.get_position()) > 0.95
                text.set_visible(not outside)

    def title(self, text: str, **looks: Any) -> None:
        """Write above the map."""
        pad = 4 if self._clip is None else 11
        self.axis.set_title(text, **({"fontsize": 8.5, "pad": pad} | looks))

    def _closed(self, values: Array) -> Any:
        return np.ma.masked_invalid(self._surface(values)[self._rows])

    def _clipped(self, drawn: Any) -> Any:
        if self._clip is not None:
            drawn.set_clip_path(self._clip)
        return drawn


class Sheet:
    """Rows and columns of maps.

    Args:
        count: How many maps there are; they fill one row after the other.
        columns: In a row.
        view: That all maps show.
        width: Of a map, in inches.
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
        self.axes: list[Any] = []
        for place in range(count):
            row, column = divmod(place, columns)
            upper = self._tall - TOP - row * (height + down)
            self.axes.append(self._axis(self._columns[column], upper - height, width, height))

    def bar(self, columns: Sequence[int], drawn: Any, label: str, most: float = 4.2) -> None:
        """Put a colour bar below some columns."""
        left = self._columns[columns[0]]
        width = self._columns[columns[-1]] + self._width - left
        size = min(width, most)
        axis = self._axis(left + (width - size) / 2, self._bottom - 0.42, size, 0.11)
        bar = self.figure.colorbar(drawn, cax=axis, orientation="horizontal")
        bar.set_label(label, fontsize=8, labelpad=2)
        bar.ax.tick_params(labelsize=7, length=2)
        bar.outline.set_linewidth(0.4)

    def _axis(self, left: float, bottom: float, width: float, height: float) -> Any:
        wide, tall = self._wide, self._tall
        return self.figure.add_axes((left / wide, bottom / tall, width / wide, height / tall))
