"""Columns of air on a model's layers, interpolated to maps on pressure levels.

Between the layers, everything is linear in the logarithm of pressure. Below the lowest layer, and
below the ground, wind and humidity are constant, and temperature rises at the rate of the standard
atmosphere: at pressure p instead of p0, T = T0 (p / p0)^(R G / g) and, in hydrostatic balance,
z = z0 - (g / G) (T - T0). Pressure at sea level is the pressure where z = 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Array
from weather.fields.variables import GRAVITY

UPPER = (
    "geopotential",
    "temperature",
    "u_component_of_wind",
    "v_component_of_wind",
    "specific_humidity",
)
LAPSE = 0.0065
"""K m-1, the lapse rate G."""
DRY_AIR = 287.04
"""J kg-1 K-1, the gas constant R."""


@dataclass(frozen=True)
class Columns:
    """Output of a model at n times, on its own grid and L layers, from the top down.

    Args:
        geopotential: (n, L, h, w) m2 s-2.
        temperature: (n, L, h, w) K.
        u_component_of_wind: (n, L, h, w) m s-1, eastward.
        v_component_of_wind: (n, L, h, w) m s-1, northward.
        specific_humidity: (n, L, h, w) kg kg-1.
        surface_pressure: (n, h, w) Pa.
        near_surface_temperature: (n, h, w) K.
        near_surface_u: (n, h, w) m s-1, eastward.
        near_surface_v: (n, h, w) m s-1, northward.
        precipitation: (n, h, w) m of water since the time before.
    """

    geopotential: Array
    temperature: Array
    u_component_of_wind: Array
    v_component_of_wind: Array
    specific_humidity: Array
    surface_pressure: Array
    near_surface_temperature: Array
    near_surface_u: Array
    near_surface_v: Array
    precipitation: Array

    def maps(self, sigma: Array, levels: NDArray[np.integer], rain: str) -> dict[str, Array]:
        """Fields by their WeatherBench 2 names, on the model's own grid.

        Args:
            sigma: (L,) pressure of the layers as fractions of the surface pressure, ascending.
            levels: (P,) pressure levels, in hPa.
            rain: Name of precipitation since the time before.

        Returns:
            (n, P, h, w), and (n, h, w) at the surface.
        """
        maps = {
            name: to_levels(getattr(self, name), sigma, self.surface_pressure, levels)
            for name in UPPER
        }
        lowest, power = sigma[-1] * self.surface_pressure, DRY_AIR * LAPSE / GRAVITY
        below = np.maximum(1, 100.0 * levels[:, None, None] / lowest[:, None])
        warmer = (below**power - 1) * self.temperature[:, -1:]
        maps["temperature"] += warmer
        maps["geopotential"] -= GRAVITY / LAPSE * warmer
        height = LAPSE / GRAVITY * self.geopotential[:, -1] / self.temperature[:, -1]
        maps["mean_sea_level_pressure"] = lowest * (1 + height) ** (1 / power)
        maps["2m_temperature"] = self.near_surface_temperature
        maps["10m_u_component_of_wind"] = self.near_surface_u
        maps["10m_v_component_of_wind"] = self.near_surface_v
        maps["surface_pressure"] = self.surface_pressure
        maps[rain] = self.precipitation
        return maps


def to_levels(values: Array, sigma: Array, pressure: Array, levels: NDArray[np.integer]) -> Array:
    """Interpolate columns to pressure levels, linearly in the logarithm of pressure.

    Above and below all layers, the value of the nearest one is taken.

    Args:
        values: (n, L, h, w).
        sigma: (L,) fractions of the surface pressure, ascending.
        pressure: (n, h, w) at the surface, in Pa.
        levels: (P,) in hPa.

    Returns:
        (n, P, h, w)
    """
    points = np.log(sigma)
    wanted = np.log(100.0 * levels)[:, None, None] - np.log(pressure)[:, None]
    upper = np.clip(np.searchsorted(points, wanted), 1, len(points) - 1)
    weight = np.clip((wanted - points[upper - 1]) / (points[upper] - points[upper - 1]), 0, 1)
    low = np.take_along_axis(values, upper - 1, 1)
    return np.asarray(low + weight * (np.take_along_axis(values, upper, 1) - low))
