"""Maps closed around the globe, so that contours have no gap at the seam or at a pole."""

import numpy as np

from weather.fields.arrays import Array
from weather.fields.grid import Grid


class WrappedGrid:
    """A global grid with one more column at both ends, and a row at each pole.

    A grid of a part of the globe gets none; its columns are only put in order.

    Args:
        grid: The grid of the maps.
        centre: Longitude of the middle of the map, or nearest to it.
    """

    def __init__(self, grid: Grid, centre: float = 0.0) -> None:
        self.grid = grid
        self.is_global = grid.is_global
        west = centre - 180 if self.is_global else grid.longitude[grid.eastward[0]]
        moved = (grid.longitude - west) % 360 + west
        self._order = np.argsort(moved)
        self.longitude = moved[self._order]
        if self.is_global:
            first, last = self.longitude[[0, -1]]
            self.longitude = np.concatenate([[last - 360], self.longitude, [first + 360]])
        else:
            middle = self.longitude[[0, -1]].mean()
            self.longitude = self.longitude + 360 * np.round((centre - middle) / 360)
        steps = np.diff(grid.latitude)
        south, north = grid.latitude[[0, -1]]
        self._south = self.is_global and bool(-90 < south < -89.99 + steps[0])
        self._north = self.is_global and bool(90 > north > 89.99 - steps[-1])
        self.latitude = np.concatenate(
            [[-90.0] * self._south, grid.latitude, [90.0] * self._north]
        )

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Southernmost and northernmost latitude, westernmost and easternmost longitude."""
        if self.is_global:
            return -90.0, 90.0, -180.0, 180.0
        (south, north), (west, east) = self.latitude[[0, -1]], self.longitude[[0, -1]]
        return float(south), float(north), float(west), float(east)

    def __call__(self, maps: Array) -> Array:
        """Maps (..., H, W) on this grid; a pole has the mean of the row beside it."""
        maps = maps[..., self._order]
        rows = [maps]
        if self._south:
            rows.insert(0, _mean_row(maps[..., :1, :]))
        if self._north:
            rows.append(_mean_row(maps[..., -1:, :]))
        maps = np.concatenate(rows, -2)
        if not self.is_global:
            return maps
        return np.concatenate([maps[..., -1:], maps, maps[..., :1]], -1)


def _mean_row(row: Array) -> Array:
    return np.broadcast_to(row.mean(-1, keepdims=True), row.shape)
