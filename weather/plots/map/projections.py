"""Parts of the globe on paper: rectangles of longitude and latitude, and caps around a pole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from matplotlib.patches import Circle
from numpy.typing import NDArray

from weather.fields.arrays import Array
from weather.fields.grid import Grid
from weather.plots.map.coastlines import coasts_between

COAST = {"color": "#5f5f5f", "zorder": 2.8}
GRATICULE = {"color": "#00000030", "lw": 0.4, "zorder": 2.5}


class View(Protocol):
    """A part of the globe."""

    @property
    def ratio(self) -> float:
        """Height over width."""

    @property
    def centre(self) -> float:
        """The longitude in the middle."""

    @property
    def latitudes(self) -> tuple[float, float]:
        """The southernmost and the northernmost."""

    @property
    def width(self) -> float:
        """Degrees of longitude."""

    def prepare(self, axis: Any, *, labels: bool, coast: float) -> Any:
        """Draw coasts and a graticule, and set the limits.

        Args:
            axis: To draw on.
            labels: Whether meridians and parallels are named.
            coast: Width of coastlines.

        Returns:
            What everything else is to be clipped to; None stands for the axis.
        """

    def place(self, longitude: Array, latitude: Array) -> tuple[Array, Array]:
        """Places on paper."""


@dataclass(frozen=True)
class Rectangle:
    """Longitude and latitude as they are (plate carree), in degrees."""

    south: float = -90.0
    north: float = 90.0
    west: float = -180.0
    east: float = 180.0

    @property
    def latitudes(self) -> tuple[float, float]:
        """The southernmost and the northernmost."""
        return self.south, self.north

    @property
    def centre(self) -> float:
        """The longitude in the middle."""
        return (self.west + self.east) / 2

    @property
    def width(self) -> float:
        """Degrees of longitude."""
        return self.east - self.west

    @property
    def ratio(self) -> float:
        """Height over width."""
        return (self.north - self.south) / self.width * self._stretch

    @property
    def _stretch(self) -> float:
        """Of latitude: shapes are right in the middle of a small map."""
        if self.width > 180:
            return 1.0
        return 1 / max(0.2, float(np.cos(np.deg2rad((self.south + self.north) / 2))))

    def prepare(self, axis: Any, *, labels: bool, coast: float) -> None:
        """Draw coasts and a graticule, and set the limits."""
        axis.grid(False)
        axis.plot(*coasts_between(self.west, self.east).T, lw=coast, **COAST)
        axis.set(xlim=(self.west, self.east), ylim=(self.south, self.north))
        axis.set_aspect(self._stretch)
        for side in ("top", "right"):
            axis.spines[side].set_visible(True)
        across, up = (
            _ticks(first, last)
            for first, last in ((self.west, self.east), (self.south, self.north))
        )
        for longitude in across:
            axis.axvline(longitude, **GRATICULE)
        for latitude in up:
            axis.axhline(latitude, **GRATICULE)
        across, up = (across, up) if labels else ([], [])
        axis.set_xticks(across, [meridian(x) for x in across])
        axis.set_yticks(up, [parallel(y) for y in up])
        axis.tick_params(labelsize=6.5, length=2, pad=1.5, colors="#444444")

    def place(self, longitude: Array, latitude: Array) -> tuple[Array, Array]:
        """Places on paper."""
        return longitude, latitude


@dataclass(frozen=True)
class Cap:
    """A hemisphere, or less of it, seen from above its pole (stereographic).

    Args:
        edge: Latitude at the rim, positive in both hemispheres.
        northern: Whether it is that of the north; there, Greenwich is at the bottom.
    """

    edge: float = 20.0
    northern: bool = True
    ratio = 1.0
    centre = 0.0
    width = 360.0

    @property
    def latitudes(self) -> tuple[float, float]:
        """The southernmost and the northernmost."""
        return (self.edge, 90.0) if self.northern else (-90.0, -self.edge)

    def place(self, longitude: Array, latitude: Array) -> tuple[Array, Array]:
        """Places on paper, in radii of the rim; nothing is far beyond it."""
        sign = 1 if self.northern else -1
        beyond = np.maximum(sign * latitude, self.edge - 30)
        radius = np.tan(np.deg2rad(90 - beyond) / 2) / np.tan(np.deg2rad(90 - self.edge) / 2)
        angle = np.deg2rad(longitude)
        return radius * np.sin(angle), -sign * radius * np.cos(angle)

    def prepare(self, axis: Any, *, labels: bool, coast: float) -> Any:
        """Draw coasts and a graticule; returns the rim."""
        rim = Circle((0, 0), 1.0, fc="none", ec="#666666", lw=0.8, zorder=4)
        axis.add_patch(rim)
        axis.set_axis_off()
        axis.set(xlim=(-1.02, 1.02), ylim=(-1.02, 1.02), aspect="equal")
        drawn = axis.plot(*self.place(*coasts_between(-180, 180).T), lw=coast, **COAST)
        around = np.linspace(0.0, 360.0, 181)
        for latitude in np.arange(-80.0, 81.0, 20.0):
            if self.latitudes[0] < latitude < self.latitudes[1]:
                drawn += axis.plot(*self.place(around, np.full(181, latitude)), **GRATICULE)
        sign = 1 if self.northern else -1
        for longitude in np.arange(0.0, 360.0, 45.0):
            ends = self.place(np.full(2, longitude), sign * np.array([self.edge, 80.0]))
            drawn += axis.plot(*ends, **GRATICULE)
            if labels:
                x, y = (1.05 * end[0] for end in ends)
                axis.text(x, y, meridian(longitude), fontsize=6, ha="center", va="center")
        for line in drawn:
            line.set_clip_path(rim)
        return rim


def seen(view: View, grid: Grid) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Index of the part of maps (..., H, W) that a view shows: rows (h, 1) and columns (1, w)."""
    south, north = view.latitudes
    rows = (grid.latitude >= south) & (grid.latitude <= north)
    away = np.abs((grid.longitude - view.centre + 180) % 360 - 180)
    up, across = np.ix_(rows, away <= view.width / 2)
    return up, across


def meridian(longitude: float) -> str:
    """Name of a meridian.

    >>> meridian(-30.0), meridian(180.0), meridian(200.0), meridian(0.0)
    ('30°W', '180°', '160°W', '0°')
    """
    turned = (longitude + 180) % 360 - 180
    side = "" if turned in (0, -180) else "E" if turned > 0 else "W"
    return f"{abs(turned):.4g}°{side}"


def parallel(latitude: float) -> str:
    """Name of a parallel.

    >>> parallel(-30.0), parallel(0.0)
    ('30°S', '0°')
    """
    side = "" if latitude == 0 else "N" if latitude > 0 else "S"
    return f"{abs(latitude):.4g}°{side}"


def _ticks(first: float, last: float) -> Sequence[float]:
    """Round degrees between two, three to seven of them."""
    for step in (60, 30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1):
        ticks = np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step
        if len(ticks) >= 4 or step == 0.1:
            break
    return [float(tick) for tick in ticks]
