"""Where scores are taken: regions of a grid, and their windows and tiles."""

from collections.abc import Sequence

import numpy as np

from refine_core.errors import InputError
from weather.fields.arrays import Array
from weather.fields.grid import Grid
from weather.fields.regions import parse_region, region_weights
from weather.metrics.balance import in_band
from weather.metrics.joint import Tiles
from weather.metrics.pooling import Windows

SIZES = (2, 4, 8)
"""Cells along either side of the windows that maps are pooled over."""


class Areas:
    """Regions of a grid.

    Args:
        grid: The grid of the maps.
        regions: R of them, see `weather.fields.regions.parse_region`.
        mask: (H, W) share of each cell that counts, from 0 to 1; by default all of it.

    Raises:
        InputError: A region is unknown or holds no cell, or the mask is none.
    """

    def __init__(self, grid: Grid, regions: Sequence[str], mask: Array | None = None) -> None:
        self._given = grid, tuple(regions), mask
        if mask is not None and np.isnan(mask).any():
            raise InputError(
                f"The mask has no value in {int(np.isnan(mask).sum())} of {mask.size} cells, "
                "expected one in each: fill them, with 0 where cells do not count "
                "(mask.fillna(0))."
            )
        if mask is not None and not ((mask >= -0.01) & (mask <= 1.01)).all():
            raise InputError(
                f"Found a mask of values from {np.min(mask):.4g} to {np.max(mask):.4g}, expected "
                "shares of 0 to 1 in every cell, such as a land-sea mask."
            )
        mask = None if mask is None else np.clip(mask, 0, 1).astype(np.float64)
        share = np.ones(grid.shape) if mask is None else mask
        self.grid = grid
        self.names = [parse_region(region).name for region in regions]
        self.weight = region_weights(grid, regions, mask)
        """(R, H, W), of sum 1."""
        self.rows = self.weight.sum(-1)
        """(R, H), of sum 1."""
        self.tiles = Tiles(grid, self.weight, mask)
        area = grid.area()[:, None] * share
        self.windows = {size: Windows(area, size) for size in SIZES if 2 * size <= min(grid.shape)}
        """By size."""
        self.window_weight = {
            size: windows.weight(self.weight) for size, windows in self.windows.items()
        }
        """(R, h, w) of each size, of sum 1."""
        band = self.weight * in_band(grid)
        with np.errstate(invalid="ignore"):  # a region outside of the band
            self.band = band / band.sum((-1, -2), keepdims=True)
        """(R, H, W) of the cells where balance is measured, of sum 1."""
        self._counted = self.weight.any(0)

    def __reduce__(self) -> tuple[object, ...]:
        """What it is made of travels to other processes, in place of maps of all regions."""
        return Areas, self._given

    def fill(self, maps: Array) -> Array:
        """Maps (..., H, W) with zeros for numbers missing where no region has a cell.

        They lie in memory as they are indexed, so that sums do not depend on a file's layout.
        """
        if not self._counted.all():
            maps = np.where(~self._counted & ~np.isfinite(maps), np.float32(0), maps)
        return np.ascontiguousarray(maps)
