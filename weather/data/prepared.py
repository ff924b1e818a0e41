"""Data ready for training: states mapped into memory, and what is known of them."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weather.data.config import DataConfig
from weather.data.time_parts import Part, starts, stride
from weather.fields.channel import Channel
from weather.fields.grid import Grid

Array = NDArray[np.float32]
Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of the training part, in SI units, weighted by area.

    Args:
        mean: (C,).
        std: (C,).
        residual_std: (C,) of the change over a step.
        static_mean: (S,).
        static_std: (S,).
        forcing_mean: (F,).
        forcing_std: (F,).
    """

    mean: Real
    std: Real
    residual_std: Real
    static_mean: Real
    static_std: Real
    forcing_mean: Real
    forcing_std: Real

    def to_dict(self) -> dict[str, list[float]]:
        """As JSON values."""
        return {name: values.tolist() for name, values in vars(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, list[float]]) -> "Statistics":
        """What `to_dict` returned."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: np.array(data[name], np.float64) for name in names})


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data ready for training, in SI units.

    Args:
        data: What was asked for.
        grid: Of all maps.
        channels: C predicted maps.
        times: (T,) datetime64[ns], ascending; only those of the three parts.
        states: (T, C, H, W), mapped into memory.
        static: (S, H, W).
        forcing: (T, F, H, W), mapped into memory; None without forcing.
        statistics: Of the training part.
        climatology: (K, C, H, W) coefficients, see `weather.fields.climatology.climatology_at`.
        folder: Where it is kept.
    """

    data: DataConfig
    grid: Grid
    channels: list[Channel]
    times: NDArray[np.datetime64]
    states: Array
    static: Array
    forcing: Array | None
    statistics: Statistics
    climatology: Array
    folder: Path

    @property
    def stride(self) -> int:
        """States from one step to the next."""
        return stride(self.times, self.data.step_hours)

    @property
    def digest(self) -> str:
        """Sixteen digits that tell these states from others, by what is known of them."""
        known = json.dumps(self.statistics.to_dict()).encode()
        arrays = (self.times.tobytes(), self.static.tobytes(), self.climatology.tobytes())
        return hashlib.sha256(b"".join((known, *arrays))).hexdigest()[:16]

    def normalised_static(self) -> Array:
        """(S, H, W) static fields of mean 0 and standard deviation 1."""
        known = self.statistics
        shifted = self.static - known.static_mean[:, None, None]
        return np.asarray(shifted / known.static_std[:, None, None], np.float32)

    def starts(self, part: Part, steps: int = 1) -> NDArray[np.int64]:
        """Indices of states with their history and the next `steps` states in a part."""
        return starts(self.times, self.data, part, steps)
