"""The parts of time for training, validation and test, and the starts of steps in them."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.data.config import DataConfig

Part = Literal["train", "validation", "test"]


PARTS: tuple[Part, ...] = ("train", "validation", "test")


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
