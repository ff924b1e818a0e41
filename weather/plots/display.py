"""How a channel is displayed: its name, the units that forecasters read, its colours."""

import re
from dataclasses import dataclass, replace

import numpy as np

from weather.fields.arrays import Array
from weather.fields.channel import Channel
from weather.fields.labels import readable_unit
from weather.fields.variables import GRAVITY, nonnegative
from weather.plots.map.colour_scale import QUARTER_STEPS, STEPS, ColourScale, value_scale

_DIVERGING = ("component_of_wind", "vorticity", "divergence", "vertical_velocity")
"""Parts of the names of variables that are positive and negative alike."""

AMOUNT_COLOURS = "YlGnBu"
"""Colours of what is zero or more, such as rain and speed."""


@dataclass(frozen=True)
class Display:
    """How a channel is displayed.

    Args:
        name: Such as "geopotential height at 500 hPa".
        unit: Unit of values.
        unit_difference: Unit of spreads and errors.
        factor: Factor from the file's units to the units of the picture.
        offset: Added after the factor.
        colours: Name of the sequential colour map.
        diverging: Name of the colour map about zero; empty if zero is no centre.
        steps: First digits of the distance between levels.
        noisy: Whether its contours are so tangled that few should be plotted.
        is_amount: Whether only its high values are extreme, as those of rain and of speed.
    """

    name: str
    unit: str
    unit_difference: str
    factor: float = 1.0
    offset: float = 0.0
    colours: str = "viridis"
    diverging: str = ""
    steps: tuple[int, ...] = STEPS
    noisy: bool = False
    is_amount: bool = False

    @classmethod
    def of(cls, channel: Channel, units: str) -> "Display":
        """How values in `units` of a channel are displayed; unknown units stay as they are.

        >>> height = Display.of(Channel("geopotential", 500), "m**2 s**-2")
        >>> height.name, height.unit, round(float(height(np.float32(5500 * 9.80665))), 3)
        ('geopotential height at 500 hPa', 'dam', 550.0)
        """
        variable = channel.variable
        at = "" if channel.level is None else f" at {channel.level} hPa"
        name = re.sub(r"^(\d+)m ", r"\1 m ", variable.replace("_", " ")) + at
        if variable.startswith("geopotential") and units == "m**2 s**-2":
            height = f"geopotential height{at}"
            return cls(height, "dam", "dam", 0.1 / GRAVITY, steps=QUARTER_STEPS)
        if units == "K" and "temperature" in variable:
            return cls(name, "°C", "K", 1.0, -273.15, diverging="RdYlBu_r")
        if units == "Pa":
            return cls(name, "hPa", "hPa", 0.01, steps=QUARTER_STEPS)
        if units == "m" and variable.startswith("total_precipitation"):
            return cls(name, "mm", "mm", 1e3, colours=AMOUNT_COLOURS, noisy=True, is_amount=True)
        factor, unit = readable_unit(units)
        unit = unit or "units of the file"
        if any(part in variable for part in _DIVERGING):
            return cls(name, unit, unit, factor, diverging="PuOr", noisy=True)
        amount = nonnegative(variable) or "wind_speed" in variable
        colours = AMOUNT_COLOURS if amount else "viridis"
        return cls(name, unit, unit, factor, colours=colours, noisy=amount, is_amount=amount)

    def __call__(self, values: Array) -> Array:
        """Values in the units of the picture."""
        return values * np.float32(self.factor) + np.float32(self.offset)

    def rounded(self, values: Array, quantum: float) -> Array:
        """Values in the units of the picture, of multiples of a quantum in the file's units."""
        if not quantum:
            return values
        steps = (values - np.float32(self.offset)) / np.float32(self.factor * quantum)
        return self(np.round(steps) * np.float32(quantum))

    @property
    def heading(self) -> str:
        """The name at the beginning of a title."""
        return self.name[0].upper() + self.name[1:]

    def scale(self, values: Array) -> ColourScale:
        """Colours of all maps to be compared, whose values are in the units of the picture."""
        scale = value_scale(values, self.colours, self.diverging, self.steps)
        if self.noisy and self.diverging:  # the contour of zero would only follow noise
            return replace(scale, levels=scale.levels[scale.levels != 0])
        return scale

    @property
    def typical_shares(self) -> tuple[float, float]:
        """Shares of a map that lie below two values, whose contours tell most.

        They are far from the middle of what is noisy, and high where only high values matter.
        """
        return (0.8, 0.95) if self.is_amount else (0.03, 0.97) if self.noisy else (0.3, 0.7)
