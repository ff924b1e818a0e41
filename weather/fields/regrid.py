"""Conservative regridding between global grids."""

from typing import cast

import numpy as np

from weather.fields.arrays import Array
from weather.fields.grid import Grid, edges, overlap, shares


class Conservative:
    """First-order conservative regridding between global grids.

    A cell takes the mean over its area of the cells that it overlaps, so constants stay and the
    mean over the sphere is conserved. Cells reach midway to their neighbours, the outermost rows
    to the poles. Longitudes of both grids begin at the same meridian, the centre of their cells.

    Args:
        source: Grid of the maps to regrid.
        target: Grid of the result.
    """

    def __init__(self, source: Grid, target: Grid) -> None:
        self._rows = overlap(rows(source), rows(target))
        fine, coarse = source.shape[1], target.shape[1]
        # Counted in half cells from the common centre of the first cells, both grids have a
        # common edge. The half before that edge, which is the last, belongs to the first cell.
        halves = np.roll(shares(2 * fine, 2 * coarse), 1, (0, 1))
        self._columns = halves.reshape(coarse, 2, fine, 2).mean(1).sum(-1)

    def __call__(self, maps: Array) -> Array:
        """(..., H, W) of maps (..., h, w) on the source's grid."""
        return cast(Array, self._rows @ maps @ self._columns.T)


def rows(grid: Grid) -> Array:
    """(H + 1,) edges of a global grid's rows in degrees, from pole to pole."""
    found = edges(grid.latitude)
    found[[0, -1]] = -90, 90
    return found
