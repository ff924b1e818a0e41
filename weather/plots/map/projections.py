"""Views of the globe: rectangles of longitude and latitude, and caps around a pole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch
from numpy.typing import NDArray

from weather.fields.arrays import Array
from weather.fields.grid import Grid
from weather.plots.map.coastlines import coastlines_between


class View(Protocol):
    """A part of the globe and its projection."""

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

    @property
    def margin(self) -> float:
        """Inches that names of meridians take at all sides."""

    def prepare(self, axis: Axes, *, labels: bool, coast: float) -> Patch | None:
        """Set the limits of an axis, and plot coasts and a graticule.

        Args:
            axis: The axis to plot on.
            labels: Whether meridians and parallels are labelled.
            coast: Width of coastlines.

        Returns:
            The outline that contents of the map are clipped to; None for that of the axis.
        """

    def project(self, longitude: Array, latitude: Array) -> tuple[Array, Array]:
        """Coordinates on the axis."""


@dataclass(frozen=True)
class Rectangle:
    """Longitude and latitude as they are (plate carree), in degrees."""

    south: float = -90.0
    north: float = 90.0
    west: float = -180.0
    east: float = 180.0
    margin = 0.0

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
        """Length of a degree of latitude over one of longitude: true in the middle of regions."""
        if self.width > 180:
            return 1.0
        return 1 / max(0.2, float(np.cos(np.deg2rad((self.south + self.north) / 2))))

    def prepare(self, axis: Axes, *, labels: bool, coast: float) -> None:
        """Set the limits of an axis, and plot coasts and a graticule."""
        axis.grid(False)
        coasts = coastlines_between(self.west, self.east).T
        _plot_coast(axis, *coasts, width=coast, clip=None)
        axis.set(xlim=(self.west, self.east), ylim=(self.south, self.north))
        axis.set_aspect(self._stretch)
        for side in ("top", "right"):
            axis.spines[side].set_visible(True)
        meridians, parallels = _ticks(self.west, self.east), _ticks(self.south, self.north)
        _plot_graticule(
            axis,
            [(np.full(2, longitude), np.array(self.latitudes)) for longitude in meridians]
            + [(np.array([self.west, self.east]), np.full(2, latitude)) for latitude in parallels],
        )
        meridians, parallels = (meridians, parallels) if labels else ([], [])
        axis.set_xticks(meridians, [meridian(x) for x in meridians])
        axis.set_yticks(parallels, [parallel(y) for y in parallels])
        axis.tick_params(labelsize=6.5, length=2, pad=1.5, colors="#444444")

    def project(self, longitude: Array, latitude: Array) -> tuple[Array, Array]:
        """Coordinates on the axis."""
        return longitude, latitude


@dataclass(frozen=True)
class PolarCap:
    """A hemisphere, or less of it, seen from above its pole (stereographic).

    Args:
        edge: Latitude of the rim, positive in both hemispheres.
        northern: Whether it is that of the north; there, Greenwich is at the bottom.
    """

    edge: float = 20.0
    northern: bool = True
    ratio = 1.0
    centre = 0.0
    width = 360.0
    margin = 0.25

    @property
    def latitudes(self) -> tuple[float, float]:
        """The southernmost and the northernmost."""
        return (self.edge, 90.0) if self.northern else (-90.0, -self.edge)

    def project(self, longitude: Array, latitude: Array) -> tuple[Array, Array]:
        """Coordinates on the axis, in radii of the rim; all within 30 degrees beyond it."""
        sign = 1 if self.northern else -1
        within = np.maximum(sign * latitude, self.edge - 30)
        radius = np.tan(np.deg2rad(90 - within) / 2) / np.tan(np.deg2rad(90 - self.edge) / 2)
        angle = np.deg2rad(longitude)
        return radius * np.sin(angle), -sign * radius * np.cos(angle)

    def prepare(self, axis: Axes, *, labels: bool, coast: float) -> Patch:
        """Set the limits of an axis, and plot coasts and a graticule; returns the rim."""
        rim = Circle((0, 0), 1.0, fc="none", ec="#666666", lw=0.8, zorder=4)
        axis.add_patch(rim)
        axis.set_axis_off()
        axis.set(xlim=(-1.02, 1.02), ylim=(-1.02, 1.02), aspect="equal")
        coasts = self.project(*coastlines_between(-180, 180).T)
        _plot_coast(axis, *coasts, width=coast, clip=rim)
        around = np.linspace(0.0, 360.0, 181)
        graticule = [
            self.project(around, np.full(181, latitude))
            for latitude in np.arange(-80.0, 81.0, 20.0)
            if self.latitudes[0] < latitude < self.latitudes[1]
        ]
        ends = np.array([self.edge, 80.0]) * (1 if self.northern else -1)
        for longitude in np.arange(0.0, 360.0, 45.0):
            x, y = self.project(np.full(2, longitude), ends)
            graticule.append((x, y))
            if labels:
                sides: tuple[Literal["right", "center", "left"], ...] = ("right", "center", "left")
                side = sides[1 + int(np.sign(np.round(x[0], 6)))]
                outside = 1.03 * x[0], 1.05 * y[0]
                axis.text(*outside, meridian(longitude), fontsize=6, ha=side, va="center")
        _plot_graticule(axis, graticule).set_clip_path(rim)
        return rim


def visible(view: View, grid: Grid) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Index of the part of maps (..., H, W) within a view: rows (h, 1) and columns (1, w)."""
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


def _plot_coast(axis: Axes, x: Array, y: Array, *, width: float, clip: Patch | None) -> None:
    """Plot coasts as dark lines in paler ones, to be seen on dark and on pale colours."""
    for wide, colour, alpha in ((2 * width + 0.3, "white", 0.55), (width, "#3a3a3a", 1.0)):
        (line,) = axis.plot(x, y, lw=wide, color=colour, alpha=alpha, zorder=2.8)
        if clip is not None:
            line.set_clip_path(clip)


def _plot_graticule(axis: Axes, lines: Sequence[tuple[Array, Array]]) -> Line2D:
    """Plot lines (x, y) as one with gaps, which takes less time than many."""
    gap = np.array([np.nan])
    x, y = (np.concatenate([p for line in lines for p in (line[i], gap)]) for i in (0, 1))
    (line,) = axis.plot(x, y, lw=0.4, color="#00000030", zorder=2.5)
    return line


def _ticks(first: float, last: float) -> Sequence[float]:
    """Round degrees between two, about three to seven of them."""
    for step in (60, 30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1):
        ticks = np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step
        if len(ticks) >= 4 or step == 0.1:
            break
    return [float(tick) for tick in ticks]
