"""Colours of values on maps, changing at round levels."""

from dataclasses import dataclass
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize
from matplotlib.ticker import MaxNLocator

from weather.fields.arrays import Array

STEPS, QUARTER_STEPS = (1, 2, 5, 10), (1, 2, 4, 8, 10)
"""First digits of the distance between levels; those of heights and pressures are 4 or 8 apart."""
MOST_COLOURS = 20
SPREAD_COLOURS, ERROR_COLOURS, ANOMALY_COLOURS = "YlOrBr", "PuOr_r", "RdBu_r"
PROBABILITIES = np.array([2.0, 10.0, 25.0, 50.0, 75.0, 90.0, 98.0])
"""Levels in percent; what is less likely than the first stays white."""


@dataclass(frozen=True)
class ColourScale:
    """Colours by value.

    Args:
        levels: One colour lies between two neighbouring levels.
        colours: The colour map.
        norm: Maps values to the range of the colour map.
        extend: On which sides values beyond the levels are coloured, too.
    """

    levels: Array
    colours: Colormap
    norm: Normalize
    extend: Literal["both", "max"]


def value_scale(
    values: Array, colours: str, diverging: str = "", steps: tuple[int, ...] = STEPS
) -> ColourScale:
    """Colours of values.

    Args:
        values: Values of all maps that are to be compared.
        colours: Name of a sequential colour map.
        diverging: Name of the one for values on both sides of zero; empty if zero is no centre.
        steps: First digits of the distance between levels.
    """
    low, high = _percentiles(values, 0.2, 99.8)
    levels = round_levels(low, high, steps=steps)
    if diverging and low < 0 < high:
        most = max(-low, high)
        return ColourScale(levels, matplotlib.colormaps[diverging], Normalize(-most, most), "both")
    # Coastlines would be invisible on the darkest part of a sequential colour map.
    every = matplotlib.colormaps[colours](np.linspace(0.0, 1.0, 256))
    part = ListedColormap(every[40:] if colours == "viridis" else every[:226])
    return ColourScale(levels, part, Normalize(low, high), "both")


def spread_scale(values: Array, reference: ColourScale) -> ColourScale:
    """Colours of spreads.

    Args:
        values: Spreads.
        reference: Colours of the values. Spreads a thousand times smaller than these are rounding
            errors, and stay pale.
    """
    high = max(_percentiles(values, 0.0, 99.5)[1], 1e-3 * float(np.ptp(reference.levels)))
    colours = ListedColormap(matplotlib.colormaps[SPREAD_COLOURS](np.linspace(0.0, 0.8, 256)))
    return ColourScale(round_levels(0.0, high, 9), colours, Normalize(0, high), "max")


def difference_scale(
    values: Array, reference: ColourScale, colours: str = ERROR_COLOURS
) -> ColourScale:
    """Colours of errors or anomalies, symmetric about zero; see `spread_scale`."""
    smallest = 1e-3 * float(np.ptp(reference.levels))
    most = max(*map(abs, _percentiles(values, 0.5, 99.5)), smallest)
    levels = round_levels(-most, most, 12)
    levels = levels[levels != 0]  # its contour would only follow noise
    return ColourScale(levels, matplotlib.colormaps[colours], Normalize(-most, most), "both")


def probability_scale(colours: str) -> ColourScale:
    """Colours of probabilities in percent."""
    tones = matplotlib.colormaps[colours](np.linspace(0.06, 0.94, len(PROBABILITIES)))
    norm = BoundaryNorm([*PROBABILITIES, 101.0], len(tones))
    return ColourScale(PROBABILITIES, ListedColormap(tones), norm, "max")


def round_levels(
    low: float, high: float, most: int = MOST_COLOURS, steps: tuple[int, ...] = STEPS
) -> Array:
    """Round, evenly spaced levels from about the lowest to about the highest value.

    >>> round_levels(482.0, 591.0, steps=QUARTER_STEPS).tolist()[:3]
    [480.0, 488.0, 496.0]
    """
    if high - low < 1e-6 * max(abs(low), abs(high), 1e-12):  # a map of one value
        margin = 0.5 * max(abs(low), 1e-6)
        low, high = low - margin, high + margin
    return np.asarray(MaxNLocator(most, steps=list(steps)).tick_values(low, high), np.float64)


def _percentiles(values: Array, low: float, high: float) -> tuple[float, float]:
    """Two percentiles of all finite values."""
    bottom, top = np.percentile(values[np.isfinite(values)], [low, high])
    return float(bottom), float(top)
