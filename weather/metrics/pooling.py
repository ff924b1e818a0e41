"""Means and maxima over square windows of a map, which show structure as large as the windows.

The CRPS of what is pooled depends on how the cells of a window vary together, so an ensemble whose
cells are shuffled between members loses in it, though not in the CRPS of single cells.
"""

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Array
from weather.fields.grid import Grid


class MapWindows:
    """Square windows that cover a map, all of one size.

    Windows are side by side. Where their size does not divide the map, as few as cover it are
    spread evenly and overlap; in longitude they go on around the globe, where the grid does.

    Args:
        area: (H, W) weights of the cells within a window; a cell of weight 0 is left out.
        size: Cells along either side, at most the shorter side of the map.
        grid: The grid of the maps.
    """

    def __init__(self, area: Array, size: int, grid: Grid) -> None:
        height, width = area.shape
        self._rows = _spread(height - size, height, size)[:, None] + np.arange(size)
        first = np.arange(-(-width // size)) * width // -(-width // size)
        if not grid.is_global:
            first = _spread(width - size, width, size)
        self._columns = grid.eastward[(first[:, None] + np.arange(size)) % width]
        self._is_whole = np.array_equal(self._rows.ravel(), np.arange(height)) and np.array_equal(
            self._columns.ravel(), np.arange(width)
        )
        self._valid = area > 0
        cells = self._cut(area)
        self._share = cells / np.maximum(cells.sum((-1, -3), keepdims=True), 1e-30)

    def weight(self, weight: Array) -> Array:
        """(R, h, w) weights of the windows in regions of weights (R, H, W), of sum 1."""
        summed = self._cut(weight).sum((-1, -3))
        return np.asarray(summed / summed.sum((-1, -2), keepdims=True))

    def mean(self, maps: Array) -> Array:
        """(..., h, w) area-weighted means of maps (..., H, W)."""
        cells = self._cut(maps)
        return np.asarray(np.einsum("...hawb,hawb->...hw", cells, self._share.astype(maps.dtype)))

    def maximum(self, maps: Array) -> Array:
        """(..., h, w) maxima of maps (..., H, W); 0 in a window without cells."""
        if not self._valid.all():
            maps = np.where(self._valid, maps, -np.inf).astype(maps.dtype)
        cells = self._cut(maps)
        size = cells.shape[-1]
        # Over an axis this short, numpy's own maximum takes ten times as long.
        rows = reduce(np.maximum, (cells[..., k, :, :] for k in range(size)))
        largest = reduce(np.maximum, (rows[..., k] for k in range(size)))
        return np.where(largest > -np.inf, largest, 0).astype(maps.dtype)

    def _cut(self, maps: Array) -> Array:
        """(..., h, size, w, size) cells of the windows."""
        (h, a), (w, b) = self._rows.shape, self._columns.shape
        if not self._is_whole:
            maps = maps[..., self._rows.ravel(), :][..., self._columns.ravel()]
        return maps.reshape(*maps.shape[:-2], h, a, w, b)


def _spread(last: int, length: int, size: int) -> NDArray[np.int64]:
    """First cells of as few windows as cover a length, evenly spread from 0 to `last`."""
    return np.rint(np.linspace(0, last, -(-length // size))).astype(np.int64)
