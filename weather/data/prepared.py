"""Data ready for training: states mapped into memory, and what is known of them."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refine_core.storage.files import digest
from weather.data.config import DataConfig
from weather.data.statistics import Statistics
from weather.data.time_parts import Part, TimeParts
from weather.fields.arrays import Times
from weather.fields.channel import Channel
from weather.fields.grid import Grid

Maps = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data ready for training, in SI units; see `weather.data.preparation.prepare`.

    Args:
        config: What the data were prepared for.
        grid: The grid of all maps.
        times: (T,) ascending; only those of the three parts.
        states: (T, C, H, W), mapped into memory; NaN where a masked variable has no values.
        static: (S, H, W).
        forcing: (T, F, H, W), alike; None without forcing.
        statistics: Statistics of the training part.
        folder: The folder that holds the arrays.
    """

    config: DataConfig
    grid: Grid
    times: Times
    states: Maps
    static: Maps
    forcing: Maps | None
    statistics: Statistics
    folder: Path

    @property
    def channels(self) -> list[Channel]:
        """Predicted maps, in the order of C."""
        return self.config.channels

    @cached_property
    def parts(self) -> TimeParts:
        """The times, divided into training, validation and test."""
        return TimeParts(self.times, self.config)

    @property
    def stride(self) -> int:
        """States from one step to the next."""
        return self.parts.stride

    @cached_property
    def absent(self) -> NDArray[np.bool_] | None:
        """(C + F, H, W) cells where channels and forcing have no values; None if all have."""
        if not self.config.masked:
            return None
        forcing = self.states[0, :0] if self.forcing is None else self.forcing[0]
        absent: NDArray[np.bool_] = np.isnan(np.concatenate([self.states[0], forcing]))
        return absent

    @property
    def digest(self) -> str:
        """Sixteen digits that tell these states from others, by what is known of them."""
        known = json.dumps(self.statistics.to_dict())
        return digest(known, self.times, self.static)

    def normalised_static(self) -> Maps:
        """(S, H, W) static fields of mean 0 and standard deviation 1."""
        known = self.statistics
        shifted = self.static - known.static_mean[:, None, None]
        return np.asarray(shifted / known.static_std[:, None, None], np.float32)

    def starts(self, part: Part, steps: int = 1) -> NDArray[np.int64]:
        """Indices of states with their history and the next `steps` states in a part."""
        return self.parts.starts(part, steps)
