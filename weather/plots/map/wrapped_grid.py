"""Maps closed around the globe, so that a picture of them has no gap at the seam or at a pole."""

import numpy as np

from weather.fields.arrays import Array
from weather.fields.grid import Grid


class Surface:
    """A grid that gets a column more at both ends, and a row at each pole, to be drawn.

    A grid of a part of the globe stays as it is.

    Args:
        grid: Of the maps.
        centre: Longitude that is to be in the middle, or nearest to it.
    """

    def __init__(self, grid: Grid, centre: float = 0.0) -> None:
        self.grid = grid
        gaps = np.diff(grid.longitude, append=grid.longitude[0] + 360)
        self.around = bool(gaps.max() < 1.5 * np.median(gaps))
        """Whether the grid goes around the globe."""
        # A part of the globe begins after what it leaves out.
        west = centre - 180 if self.around else np.roll(grid.longitude, -1)[gaps.argmax()]
        moved = (grid.longitude - west) % 360 + west
        self._order = np.argsort(moved)
        self.longitude = moved[self._order]
        if self.around:
            first, last = self.longitude[[0, -1]]
            self.longitude = np.concatenate([[last - 360], self.longitude, [first + 360]])
        else:
            middle = self.longitude[[0, -1]].mean()
            self.longitude = self.longitude + 360 * np.round((centre - middle) / 360)
        steps = np.diff(grid.latitude)
        south, north = grid.latitude[[0, -1]]
        self._south = self.around and bool(-90 < south < -89.99 + steps[0])
        self._north = self.around and bool(90 > north > 89.99 - steps[-1])
        self.latitude = np.concatenate(
            [[-90.0] * self._south, grid.latitude, [90.0] * self._north]
        )

    @property
    def ends(self) -> tuple[float, float, float, float]:
        """South, north, west and east of what it covers."""
        if self.around:
            return -90.0, 90.0, -180.0, 180.0
        (south, north), (west, east) = self.latitude[[0, -1]], self.longitude[[0, -1]]
        return float(south), float(north), float(west), float(east)

    def __call__(self, maps: Array) -> Array:
        """Maps (..., H, W) on this surface; a pole has the mean of the row beside it."""
        maps = maps[..., self._order]
        rows = [maps]
        if self._south:
            rows.insert(0, _mean_row(maps[..., :1, :]))
        if self._north:
            rows.append(_mean_row(maps[..., -1:, :]))
        maps = np.concatenate(rows, -2)
        return np.concatenate([maps[..., -1:], maps, maps[..., :1]], -1) if self.around else maps


def _mean_row(row: Array) -> Array:
    return np.broadcast_to(row.mean(-1, keepdims=True), row.shape)
