"""Conservative regridding between latitude-longitude grids."""

import numpy as np

from refine_core.errors import InputError
from weather.fields.arrays import Array
from weather.fields.grid import Grid, edges, shares

COVERED = 1 - 1e-6
"""Least share of a cell's area that cells of the source cover."""
KNOWN = 0.5
"""Least share of a cell's area with values, for it to have one where others are missing."""


class Conservative:
    """First-order conservative regridding.

    A cell takes the mean over its area of the cells that it overlaps, so constants stay and the
    mean over a sphere is conserved. Cells reach midway to their neighbours, rows beside a pole to
    the pole. Where values are missing (NaN), a cell takes the mean of the others, and has none if
    they are less than half of it.

    Args:
        source: Grid of the maps to regrid.
        target: Grid of the result.

    Raises:
        InputError: The target reaches beyond the source.
    """

    def __init__(self, source: Grid, target: Grid) -> None:
        old, new = (np.sin(np.deg2rad(rows(grid))) for grid in (source, target))
        north = shares(np.stack([old[:-1], old[1:]]), np.stack([new[:-1], new[1:]]))
        east = shares(columns(source.longitude), columns(target.longitude), period=360.0)
        _check_covered(north.sum(1), "latitude", target.latitude)
        _check_covered(east.sum(1), "longitude", target.longitude)
        self._rows, self._columns = (each / each.sum(1, keepdims=True) for each in (north, east))

    def __call__(self, maps: Array) -> Array:
        """(..., H, W) of maps (..., h, w) on the source's grid."""
        known = np.isfinite(maps)
        if known.all():
            return self._mean(maps)
        share = self._mean(known.astype(np.float64))
        total = self._mean(np.where(known, maps, 0))
        few = share < KNOWN
        return np.where(few, np.nan, total / np.where(few, 1, share))

    def _mean(self, maps: Array) -> Array:
        return np.asarray(self._rows @ maps @ self._columns.T)


def rows(grid: Grid) -> Array:
    """(H + 1,) edges of rows in degrees; those less than half a row from a pole are there."""
    found, half = edges(grid.latitude), np.diff(grid.latitude)[[0, -1]] / 2
    if found[0] < half[0] - 90:
        found[0] = -90
    if found[-1] > 90 - half[1]:
        found[-1] = 90
    return found


def columns(longitude: Array) -> Array:
    """(2, W) western and eastern edges of columns in degrees, of longitudes in [0, 360).

    >>> columns(np.array([0.0, 90.0, 180.0, 270.0])).tolist()
    [[-45.0, 45.0, 135.0, 225.0], [45.0, 135.0, 225.0, 315.0]]
    """
    east = ((np.roll(longitude, -1) - longitude) % 360) / 2
    if len(longitude) == 1:
        east = np.array([180.0])
    west, widest = np.roll(east, 1), int(east.argmax())
    if east[widest] > 1.5 * np.median(east):  # a part of the globe, which ends at the widest gap
        after = (widest + 1) % len(east)
        east[widest], west[after] = west[widest], east[after]
    return np.stack([longitude - west, longitude + east])


def _check_covered(share: Array, axis: str, target: Array) -> None:
    if (share < COVERED).any():
        raise InputError(
            f"The new grid reaches beyond the data at {axis} {target[share.argmin()]:g}: choose a "
            "grid that lies within theirs."
        )
