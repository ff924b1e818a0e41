"""Checks of the coordinates of a source: its grid, its times, the parts of time."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.data.config import DataConfig
from weather.data.time_parts import PARTS, TimeParts, bounds
from weather.fields.arrays import Times
from weather.fields.grid import Grid

EVEN = 0.003
"""Relative difference up to which steps are equal; Gaussian latitudes differ by three times it."""


def grid_problems(grid: Grid) -> Iterator[str]:
    """A sentence for each way in which a grid is not a regular one around the globe."""
    for name, values in (("latitude", grid.latitude), ("longitude", grid.longitude)):
        if len(values) < 2:
            yield f"{name}: found {len(values)} value, expected a map of the globe"
            continue
        steps = np.diff(values)
        step = float(np.median(steps))
        odd = np.abs(steps - step) > EVEN * step
        first, last = float(values[0]), float(values[-1])
        if odd.any():
            place = int(odd.argmax())
            yield (
                f"{name}: the step after {values[place]:g} is {steps[place]:g} degrees where most "
                f"are {step:g}, expected equal steps around the globe: regrid"
            )
        elif name == "longitude" and abs(len(values) * step - 360) > 0.5 * step:
            yield f"longitude: goes from {first:g} to {last:g}, expected the whole circle: regrid"
        elif name == "latitude" and (first - step > -89.999 or last + step < 89.999):
            yield f"latitude: goes from {first:g} to {last:g}, expected both poles' caps: regrid"


def time_problems(times: Times, config: DataConfig) -> Iterator[str]:
    """A sentence for each thing that is wrong with the times, or with the parts of them."""
    yield from _order_problems(times)
    parts = TimeParts(np.unique(times), config)
    if len(parts.times) < 2:
        yield f"time: found {len(parts.times)}, expected a series"
        return
    values, counts = np.unique(np.diff(parts.times), return_counts=True)
    spacing, step = values[counts.argmax()], np.timedelta64(config.step_hours, "h")
    divides = step % spacing == np.timedelta64(0)
    if not divides:
        hours = spacing / np.timedelta64(1, "h")
        yield (
            f"time: states are {hours:g} hours apart, which does not divide data.step_hours "
            f"{config.step_hours}: choose a multiple"
        )
    try:
        yield from _gap_problems(parts, spacing)
        yield from _length_problems(parts, divides)
        yield from _distance_problems(config)
    except InputError as error:  # a day that is not a date
        yield str(error).rstrip(".")


def _order_problems(times: Times) -> Iterator[str]:
    steps = np.diff(times)
    for wrong, what in (
        (steps < np.timedelta64(0), "an earlier time follows: sort them"),
        (steps == np.timedelta64(0), "the same time follows: drop one"),
    ):
        if wrong.any():
            yield f"time: after {_minute(times[wrong.argmax()])} {what}{_more(wrong)}"


def _gap_problems(parts: TimeParts, spacing: np.timedelta64) -> Iterator[str]:
    for part in PARTS:
        own = parts.times[parts.inside(part)]
        uneven = np.diff(own) != spacing
        if uneven.any():
            place = int(uneven.argmax())
            yield (
                f"time: in data.{part}, {_minute(own[place])} is followed by "
                f"{_minute(own[place + 1])}, expected {_minute(own[place] + spacing)}: fill the "
                f"gap in, or let the part end before it{_more(uneven)}"
            )


def _length_problems(parts: TimeParts, divides: bool) -> Iterator[str]:
    times, config = parts.times, parts.config
    for part in PARTS:
        first, end = bounds(config, part)
        written = " to ".join(getattr(config, part))
        if end <= first:
            yield f"data.{part}: {written} ends before it begins: exchange the days"
        elif divides and not len(parts.starts(part)):
            need = f"{config.history} + 1 states {config.step_hours} hours apart"
            yield (
                f"data.{part}: {written} holds {parts.inside(part).sum()} of the source's "
                f"times, which go from {_minute(times[0])} to {_minute(times[-1])}, expected at "
                f"least {need}: choose other days"
            )


def _distance_problems(config: DataConfig) -> Iterator[str]:
    span = {part: bounds(config, part) for part in PARTS}
    ordered = sorted(PARTS, key=lambda part: span[part])
    for early, late in zip(ordered, ordered[1:], strict=False):
        gap = (span[late][0] - span[early][1]) / np.timedelta64(1, "D")
        if gap < 0:
            yield f"data.{early} and data.{late} overlap by {-gap:g} days: separate them"
        elif gap < config.gap_days:
            yield (
                f"data.{early} and data.{late} are {gap:g} days apart, expected at least "
                f"data.gap_days, {config.gap_days}: shorten one"
            )


def _minute(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]"))


def _more(wrong: NDArray[np.bool_]) -> str:
    count = int(wrong.sum()) - 1
    return f" (and at {count} later time{'s' * (count > 1)})" if count else ""
