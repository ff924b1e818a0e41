"""A small atmosphere that moves, to test with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from weather.data.config import DataConfig

PARTS: dict[str, Any] = {
    "train": ("2000-01-01", "2000-01-20"),
    "validation": ("2000-01-25", "2000-01-31"),
    "test": ("2000-02-05", "2000-02-12"),
    "gap_days": 3,
}


def times(days: int = 43, hours: int = 6, first: str = "2000-01-01") -> np.ndarray:
    """Times `hours` apart."""
    count = days * 24 // hours
    return np.datetime64(first, "ns") + np.arange(count) * np.timedelta64(hours, "h")


def atmosphere(
    when: np.ndarray | None = None, levels: Sequence[int] = (500, 850), h: int = 8, w: int = 16
) -> xr.Dataset:
    """Canonical: geopotential, temperature, 2 m temperature, pressure, land, orography, sun."""
    when = times() if when is None else when
    latitude = np.linspace(-90 + 90 / h, 90 - 90 / h, h)
    longitude = np.arange(w) * 360 / w
    day = (when - np.datetime64("2000-01-01", "ns")) / np.timedelta64(1, "D")
    angle = np.deg2rad(longitude) - 0.4 * day[:, None, None]
    south, year = np.deg2rad(latitude)[:, None], 2 * np.pi * day[:, None, None] / 365.2425
    wave = np.cos(south) * np.cos(angle) + 0.1 * np.sin(3.7 * day)[:, None, None]
    season = np.sin(south) * np.cos(year)
    height = {500: 54000.0, 850: 14000.0}
    where = ("time", "latitude", "longitude")
    upper = ("time", "level", "latitude", "longitude")
    base = np.array([height.get(level, 1e5) for level in levels])[:, None, None]
    warm = np.array([255.0 + level / 40 for level in levels])[:, None, None]
    tall = (wave + season)[:, None]
    land = (np.cos(2 * np.deg2rad(longitude)) + 0 * south > 0).astype(float)
    maps = {
        "geopotential": (upper, base + 800 * tall, "m**2 s**-2"),
        "temperature": (upper, warm + 9 * tall, "K"),
        "2m_temperature": (where, 285 + 11 * wave - 8 * season, "K"),
        "mean_sea_level_pressure": (where, 101000 + 900 * wave, "Pa"),
        "toa_incident_solar_radiation": (where, 5e5 * (1 + wave + 0.3), "J m**-2"),
        "land_sea_mask": (where[1:], land, "1"),
        "geopotential_at_surface": (where[1:], 7000 * land * np.cos(south), "m**2 s**-2"),
    }
    coords = {"time": when, "level": list(levels), "latitude": latitude, "longitude": longitude}
    data = {
        name: (dims, np.asarray(values, np.float32), {"units": units})
        for name, (dims, values, units) in maps.items()
    }
    return xr.Dataset(data, coords)


def config(source: object = "", **changes: Any) -> DataConfig:
    """What to learn from `atmosphere`."""
    settings: dict[str, Any] = {
        "source": str(source),
        "atmospheric": ("geopotential", "temperature"),
        "levels": (500, 850),
        "surface": ("2m_temperature", "mean_sea_level_pressure"),
        "static": ("land_sea_mask", "geopotential_at_surface"),
        "forcing": ("toa_incident_solar_radiation",),
        "step_hours": 12,
        "history": 2,
        **PARTS,
    }
    return DataConfig(**(settings | changes))
