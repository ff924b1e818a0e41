"""Regions of the globe, and means over them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError, suggest
from weather.fields.arrays import Array
from weather.fields.grid import Grid

REGIONS = {
    "global": (-90.0, 90.0),
    "tropics": (-20.0, 20.0),
    "northern-extratropics": (20.0, 90.0),
    "southern-extratropics": (-90.0, -20.0),
}
"""Southernmost and northernmost latitude of the rows in a region, as in WeatherBench 2."""


def region_weights(grid: Grid, regions: Sequence[str]) -> NDArray[np.float64]:
    """(R, H) exact area weights of the rows in each region, of sum 1.

    Raises:
        InputError: A region is unknown, or the grid has no row in it.
    """
    result = np.zeros((len(regions), grid.shape[0]))
    for row, name in zip(result, regions, strict=True):
        if name not in REGIONS:
            known = ", ".join(REGIONS)
            raise InputError(
                f"Found region {name!r}, expected one of {known}.{suggest(name, REGIONS)}"
            )
        south, north = REGIONS[name]
        inside = (grid.latitude >= south) & (grid.latitude <= north)
        if not inside.any():
            raise InputError(f"The grid has no row in region {name!r}: leave it out.")
        row[inside] = grid.area()[inside]
    return np.asarray(result / result.sum(1, keepdims=True))


def regional_mean(maps: Array, weight: Array) -> NDArray[np.float64]:
    """(..., R) means of maps (..., H, W) over regions of weights (R, H)."""
    result: NDArray[np.float64] = maps.mean(-1, dtype=np.float64) @ weight.T
    return result
