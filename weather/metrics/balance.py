"""Balance of wind and geopotential: how near the northward wind is to the geostrophic one.

Outside of the tropics and above the ground, the wind nearly follows the contours of geopotential:

    f v = 1 / (a cos(latitude)) dZ/d(longitude)

with the Coriolis parameter f and the Earth's radius a. Members that are weather keep to it.
"""

import numpy as np

from weather.fields.arrays import Array
from weather.fields.grid import Grid

BAND = (25.0, 75.0)
"""Degrees from the equator between which the balance is measured."""
RADIUS = 6.371e6
"""Metres."""
ROTATION = 7.292e-5
"""Radians a second."""


def in_band(grid: Grid) -> Array:
    """(H, 1) ones in the rows of `BAND`, zeros elsewhere."""
    away = np.abs(grid.latitude)
    return ((away >= BAND[0]) & (away <= BAND[1])).astype(np.float64)[:, None]


def geostrophic_wind(geopotential: Array, grid: Grid) -> Array:
    """Northward geostrophic wind, m s-1, by central differences.

    Args:
        geopotential: (..., H, W), m2 s-2, once around the globe.
        grid: Its grid; rows outside of `BAND` get zeros.

    Returns:
        (..., H, W).
    """
    latitude = np.deg2rad(grid.latitude)
    step = 2 * np.pi / grid.shape[1]
    scale = ROTATION * np.sin(2 * latitude) * RADIUS * 2 * step  # f a cos(latitude), two steps
    inside = in_band(grid)[:, 0] > 0
    factor = np.where(inside, 1 / np.where(inside, scale, 1), 0).astype(geopotential.dtype)
    change = np.roll(geopotential, -1, -1) - np.roll(geopotential, 1, -1)
    return np.asarray(change * factor[:, None])
