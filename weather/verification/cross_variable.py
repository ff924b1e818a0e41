"""Scores of several variables together: of all at once, and of the wind with the geopotential."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weather.fields.arrays import Array
from weather.fields.channel import Channel
from weather.fields.regions import regional_mean
from weather.metrics.balance import geostrophic_wind
from weather.metrics.joint import cross_variogram_score, energy_score
from weather.verification.selection import Areas
from weather.verification.statistics import Table

ALL = "all variables"
LEAST_DEVIATION = 0.1
"""Of tiles, that anomalies are divided by, as a share of the mean over tiles."""


@dataclass(frozen=True)
class VariableSet:
    """Channels that are scored together.

    Args:
        name: The name in reports.
        places: Their places among all channels.
    """

    name: str
    places: tuple[int, ...]


def variable_sets(channels: Sequence[Channel]) -> list[VariableSet]:
    """All channels, if there are several; and geopotential with northward wind of each level."""
    sets = [VariableSet(ALL, tuple(range(len(channels))))] if len(channels) > 1 else []
    for place, channel in enumerate(channels):
        wind = Channel("v_component_of_wind", channel.level)
        if channel.variable == "geopotential" and wind in channels:
            name = f"wind and geopotential {channel.level}"
            sets.append(VariableSet(name, (place, channels.index(wind))))
    return sets


def set_statistics(
    chosen: VariableSet,
    members: Array,
    truth: Array,
    scale: tuple[Array, Array] | None,
    areas: Areas,
) -> Table:
    """Measure a set of variables.

    Args:
        chosen: The set.
        members: (M, C, H, W) of all channels.
        truth: (C, H, W).
        scale: (C, H, W) mean and standard deviation of the climatology; without it there is no
            score of all variables.
        areas: Regions.

    Returns:
        Statistics (1, R) by name.
    """
    if chosen.name == ALL:
        return {} if scale is None else _all_variables(members, truth, scale, areas)
    height, wind = chosen.places
    both = [(members[:, height], members[:, wind], ""), (truth[height], truth[wind], "_truth")]
    result: Table = {}
    for geopotential, northward, suffix in both:
        geostrophic = geostrophic_wind(geopotential, areas.grid)
        maps = {
            "wind_product": northward * geostrophic,
            "wind": northward,
            "geostrophic": geostrophic,
            "wind_square": northward**2,
            "geostrophic_square": geostrophic**2,
            "ageostrophic_square": (northward - geostrophic) ** 2,
        }
        for name, values in maps.items():
            mean = values.reshape(-1, *areas.grid.shape).mean(0, dtype=np.float64)
            result[f"{name}{suffix}"] = regional_mean(mean[None], areas.band)
    return result


def _all_variables(
    members: Array, truth: Array, scale: tuple[Array, Array], areas: Areas
) -> Table:
    """Energy and variogram score of the standardised anomalies of all variables, on tiles."""
    tiles = areas.tiles
    centre, deviation = tiles(scale[0]), tiles(scale[1])
    least = LEAST_DEVIATION * deviation.mean(-1, keepdims=True)  # rain in a desert is not infinite
    deviation = np.maximum(deviation, np.maximum(least, 1e-30))
    forecast, true = ((tiles(maps) - centre) / deviation for maps in (members, truth))
    channels = len(true)
    weight = np.repeat(tiles.share[:, None], channels, 1) / channels
    return {
        "energy": energy_score(forecast[:, None], true[None], weight),
        "variogram": cross_variogram_score(forecast, true, tiles)[None],
    }
