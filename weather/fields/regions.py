"""Regions of the globe, and means over them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError, suggest
from weather.fields.arrays import Array
from weather.fields.grid import Grid


@dataclass(frozen=True)
class Region:
    """A part of the globe.

    Args:
        name: What it is called in reports.
        south: Its southernmost latitude.
        north: Its northernmost latitude.
        west: Where it begins in longitude.
        east: Where it ends, going east; past 180 or 360 degrees if need be.
    """

    name: str
    south: float
    north: float
    west: float = 0.0
    east: float = 360.0

    def cells(self, grid: Grid) -> NDArray[np.bool_]:
        """(H, W) whether the centre of a cell is inside."""
        rows = (grid.latitude >= self.south) & (grid.latitude <= self.north)
        width = self.east - self.west
        width = width if 0 <= width <= 360 else width % 360
        columns = (grid.longitude - self.west) % 360 <= width
        return np.asarray(rows[:, None] & columns)


REGIONS = {
    "global": Region("global", -90.0, 90.0),
    "tropics": Region("tropics", -20.0, 20.0),
    "northern-extratropics": Region("northern-extratropics", 20.0, 90.0),
    "southern-extratropics": Region("southern-extratropics", -90.0, -20.0),
}
"""Those with a name, as in WeatherBench 2."""


def parse_region(text: str) -> Region:
    """A region by its name, or given as name=south,north or name=south,north,west,east.

    >>> parse_region("europe=35,70,-10,40").cells(Grid(np.array([0.0, 40]), np.array([0.0, 90])))
    array([[False, False],
           [ True, False]])

    Raises:
        InputError: There is no region of that name, or the numbers make none.
    """
    name, equals, numbers = text.partition("=")
    if not equals:
        if name not in REGIONS:
            raise InputError(
                f"Found region {name!r}, expected one of {', '.join(REGIONS)}, or your own as "
                f"name=south,north,west,east.{suggest(name, REGIONS)}"
            )
        return REGIONS[name]
    try:
        region = Region(name, *(float(number) for number in numbers.split(",")))
    except (TypeError, ValueError):
        region = Region("", math.nan, math.nan)
    edges = (region.south, region.north, region.west, region.east)
    possible = -90 <= region.south < region.north <= 90 and all(-360 <= e <= 720 for e in edges)
    if not (region.name and possible):
        raise InputError(
            f"Found region {text!r}, expected name=south,north,west,east in degrees, the south "
            "below the north, such as europe=35,70,-10,40."
        )
    return region


def region_weights(
    grid: Grid, regions: Sequence[str], mask: Array | None = None
) -> NDArray[np.float64]:
    """(R, H, W) weights of the cells in each region, of sum 1: their exact areas times a mask.

    Args:
        grid: The grid of the maps.
        regions: See `parse_region`.
        mask: (H, W) share of each cell that counts; by default all of it.

    Raises:
        InputError: A region is unknown, named twice, or holds no cell.
    """
    result = np.zeros((len(regions), *grid.shape))
    share = np.ones(grid.shape) if mask is None else mask
    names = [parse_region(text).name for text in regions]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Found two regions named {name!r}: give one another name.")
    for weight, text in zip(result, regions, strict=True):
        region = parse_region(text)
        weight[:] = region.cells(grid) * grid.area()[:, None] * share
        if not weight.any():
            within = "the grid has no cell" if mask is None else "the mask leaves no cell"
            raise InputError(f"In the region {region.name!r}, {within}: leave the region out.")
        weight /= weight.sum()
    return result


def regional_mean(maps: Array, weight: Array) -> NDArray[np.float64]:
    """(..., R) means of maps (..., H, W) over regions of weights (R, H, W)."""
    flat = maps.reshape(*maps.shape[:-2], -1).astype(np.float64, copy=False)
    result: NDArray[np.float64] = flat @ weight.reshape(len(weight), -1).T
    return result
