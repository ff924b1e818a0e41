"""How a variable is shown on a map: its name, the units that forecasters read, its colours."""

import re
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.ticker import MaxNLocator

from weather.fields.arrays import Array
from weather.fields.channel import Channel
from weather.fields.labels import readable_unit
from weather.fields.variables import GRAVITY, nonnegative

STEPS, QUARTERS = (1, 2, 5, 10), (1, 2, 4, 8, 10)
"""Digits of the distance of contours; those of heights and pressures are 4 or 8 apart."""
COLOURS = 20
"""Colours on a map, at most."""
SPREAD_COLOURS, ERROR_COLOURS = "YlOrBr", "PuOr_r"
_SIGNED = ("component_of_wind", "vorticity", "divergence", "vertical_velocity")
"""In the names of variables whose zero is in the middle."""


@dataclass(frozen=True)
class Display:
    """A channel as it is shown.

    Args:
        name: Such as "geopotential height at 500 hPa".
        unit: Of values.
        unit_difference: Of spreads and errors.
        factor: From the file's units to these.
        offset: Added after the factor.
        colours: Name of the colour map of values that have no middle.
        signed: Name of the one of values on both sides of zero; empty where zero means nothing.
        digits: Of the distance of contours.
        rough: Whether many contours of it make a tangle.
    """

    name: str
    unit: str
    unit_difference: str
    factor: float = 1.0
    offset: float = 0.0
    colours: str = "viridis"
    signed: str = ""
    digits: tuple[int, ...] = STEPS
    rough: bool = False

    def __call__(self, values: Array) -> Array:
        """Values in the units shown."""
        return values * np.float32(self.factor) + np.float32(self.offset)

    @property
    def heading(self) -> str:
        """The name at the beginning of a title."""
        return self.name[0].upper() + self.name[1:]


def display(channel: Channel, units: str) -> Display:
    """How a channel is shown whose values are in `units`; unknown ones stay as they are.

    >>> shown = display(Channel("geopotential", 500), "m**2 s**-2")
    >>> shown.name, shown.unit, round(float(shown(np.float32(5500 * 9.80665))), 3)
    ('geopotential height at 500 hPa', 'dam', 550.0)
    """
    variable = channel.variable
    name = re.sub(r"^(\d+)m ", r"\1 m ", variable.replace("_", " "))
    at = "" if channel.level is None else f" at {channel.level} hPa"
    if variable.startswith("geopotential") and units == "m**2 s**-2":
        return Display(f"geopotential height{at}", "dam", "dam", 0.1 / GRAVITY, digits=QUARTERS)
    if units == "K" and "temperature" in variable:
        return Display(name + at, "°C", "K", 1.0, -273.15, signed="RdYlBu_r")
    if units == "Pa":
        return Display(name + at, "hPa", "hPa", 0.01, digits=QUARTERS)
    if units == "m" and variable.startswith("total_precipitation"):
        return Display(name + at, "mm", "mm", 1e3, colours="YlGnBu")
    factor, unit = readable_unit(units)
    unit = unit or "units of the file"
    colours = "YlGnBu" if nonnegative(variable) else "viridis"
    if any(part in variable for part in _SIGNED):
        return Display(name + at, unit, unit, factor, signed="PuOr", rough=True)
    return Display(name + at, unit, unit, factor, colours=colours)


@dataclass(frozen=True)
class Scale:
    """Colours by value.

    Args:
        levels: Between two of them lies one colour.
        colours: The colour map.
        norm: Places of values in it.
        extend: Which colours go on beyond the levels.
    """

    levels: Array
    colours: Colormap
    norm: Normalize
    extend: str


def value_scale(shown: Display, values: Array) -> Scale:
    """Colours of the values, in the units shown, of all maps that are to be compared."""
    low, high = _range(values, 0.2, 99.8)
    levels = steps(low, high, digits=shown.digits)
    if shown.signed and low < 0 < high:
        most = max(-low, high)
        return Scale(levels, matplotlib.colormaps[shown.signed], Normalize(-most, most), "both")
    # The darkest part of a sequential map would swallow the coasts.
    whole = matplotlib.colormaps[shown.colours](np.linspace(0.0, 1.0, 256))
    part = ListedColormap(whole[50:] if shown.colours == "viridis" else whole[:226])
    return Scale(levels, part, Normalize(low, high), "both")


def spread_scale(values: Array, of: Scale) -> Scale:
    """Colours of spreads.

    Args:
        values: Spreads.
        of: Colours of the values; spreads a thousand times smaller are rounding, and pale.
    """
    high = max(_range(values, 0.0, 99.5)[1], 1e-3 * float(np.ptp(of.levels)))
    colours = ListedColormap(matplotlib.colormaps[SPREAD_COLOURS](np.linspace(0.0, 0.8, 256)))
    return Scale(steps(0.0, high, 9), colours, Normalize(0, high), "max")


def error_scale(values: Array, of: Scale) -> Scale:
    """Colours of errors, as far below zero as above; see `spread_scale`."""
    most = max(*map(abs, _range(values, 0.5, 99.5)), 1e-3 * float(np.ptp(of.levels)))
    levels = steps(-most, most, 12)
    # Without a level at zero, whose line would be noise.
    return Scale(
        levels[levels != 0], matplotlib.colormaps[ERROR_COLOURS], Normalize(-most, most), "both"
    )


def steps(low: float, high: float, most: int = COLOURS, digits: tuple[int, ...] = STEPS) -> Array:
    """Round levels, evenly spaced, from about the lowest to about the highest value.

    >>> steps(482.0, 591.0, digits=QUARTERS).tolist()[:3]
    [480.0, 488.0, 496.0]
    """
    if high - low < 1e-6 * max(abs(low), abs(high), 1e-12):  # a map of one value
        room = 0.5 * max(abs(low), 1e-6)
        low, high = low - room, high + room
    return np.asarray(MaxNLocator(most, steps=list(digits)).tick_values(low, high), np.float64)


def _range(values: Array, low: float, high: float) -> tuple[float, float]:
    """Percentiles of all numbers in some maps."""
    bottom, top = np.percentile(values[np.isfinite(values)], [low, high])
    return float(bottom), float(top)
