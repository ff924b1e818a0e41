"""Data ready for training: states mapped into memory, and what is known of them."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.config import DataConfig
from weather.grid import Channel, Grid

Array = NDArray[np.float32]
Real = NDArray[np.float64]
Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


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
        climatology: (K, C, H, W) coefficients, see `weather.climatology.climatology_at`.
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

    def starts(self, part: Part, steps: int = 1) -> NDArray[np.int64]:
        """Indices of states with their history and the next `steps` states in a part."""
        return starts(self.times, self.data, part, steps)


def bounds(data: DataConfig, part: Part) -> tuple[np.datetime64, np.datetime64]:
    """First instant of a part, and the one after its last.

    Raises:
        InputError: A day is not a date.
    """
    days = []
    for text in getattr(data, part):
        try:
            days.append(np.datetime64(text, "D"))
        except ValueError:
            raise InputError(
                f"data.{part}: found {text!r}, expected a day such as 2000-01-31."
            ) from None
    return days[0].astype("datetime64[ns]"), (days[1] + 1).astype("datetime64[ns]")


def inside(times: NDArray[np.datetime64], data: DataConfig, part: Part) -> NDArray[np.bool_]:
    """(T,) whether times belong to a part."""
    first, end = bounds(data, part)
    return np.asarray((times >= first) & (times < end))


def stride(times: NDArray[np.datetime64], step_hours: int) -> int:
    """Times from one step to the next, at the least distance that times have."""
    step = np.timedelta64(step_hours, "h")
    return int(step // np.diff(times).min()) if len(times) > 1 else 1


def starts(
    times: NDArray[np.datetime64], data: DataConfig, part: Part, steps: int
) -> NDArray[np.int64]:
    """See `Prepared.starts`; a start next to a gap in time is none."""
    jump, step = stride(times, data.step_hours), np.timedelta64(data.step_hours, "h")
    belongs = inside(times, data, part)
    index = np.arange(len(times))
    before, after = (data.history - 1) * jump, steps * jump
    index = index[(index >= before) & (index + after < len(times))]
    for k in range(1 - data.history, steps + 1):
        index = index[belongs[index + k * jump]]
        index = index[times[index + k * jump] - times[index] == k * step]
    return index
