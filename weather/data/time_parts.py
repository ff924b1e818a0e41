"""The parts of time for training, validation and test, and the starts of steps in them."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.data.config import DataConfig
from weather.fields.arrays import Times

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


def bounds(config: DataConfig, part: Part) -> tuple[np.datetime64, np.datetime64]:
    """First instant of a part, and the one after its last.

    Raises:
        InputError: A day is not a date.
    """
    days = []
    for text in getattr(config, part):
        if not re.fullmatch(r"\d{4,}-\d\d-\d\d", text):
            raise InputError(f"data.{part}: found {text!r}, expected a day such as 2000-01-31.")
        try:
            days.append(np.datetime64(text, "D"))
        except ValueError:
            raise InputError(f"data.{part}: found {text!r}, which is no day.") from None
    return days[0].astype("datetime64[ns]"), (days[1] + 1).astype("datetime64[ns]")


@dataclass(frozen=True, eq=False)
class TimeParts:
    """Times of states, divided into training, validation and test.

    Args:
        times: (T,) ascending.
        config: The days of each part, the length of a step, and the history.
    """

    times: Times
    config: DataConfig

    def inside(self, part: Part) -> NDArray[np.bool_]:
        """(T,) whether times belong to a part.

        Raises:
            InputError: A day of the part is not a date.
        """
        first, end = bounds(self.config, part)
        return np.asarray((self.times >= first) & (self.times < end))

    def used(self) -> NDArray[np.int64]:
        """Indices of the times that belong to any part.

        Raises:
            InputError: A day of a part is not a date.
        """
        return np.flatnonzero(np.any([self.inside(part) for part in PARTS], 0))

    @property
    def stride(self) -> int:
        """Times from one step to the next, at the least distance that times have."""
        step = np.timedelta64(self.config.step_hours, "h")
        return int(step // np.diff(self.times).min()) if len(self.times) > 1 else 1

    def starts(self, part: Part, steps: int = 1) -> NDArray[np.int64]:
        """Indices of the times at which `steps` steps can start within a part.

        The states of the history and of each step are in the part, without a gap between them.
        """
        times, history, jump = self.times, self.config.history, self.stride
        step = np.timedelta64(self.config.step_hours, "h")
        belongs = self.inside(part)
        index = np.arange((history - 1) * jump, len(times) - steps * jump)
        for k in range(1 - history, steps + 1):
            index = index[belongs[index + k * jump]]
            index = index[times[index + k * jump] - times[index] == k * step]
        return index
