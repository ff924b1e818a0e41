"""What can be wrong with the coordinates of a source: its grid, its times, the parts of time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.data.config import DataConfig
from weather.data.time_parts import PARTS, bounds, inside, starts
from weather.fields.arrays import Times
from weather.fields.grid import Grid

EVEN = 0.003
"""How much steps of equal size may differ; those of a Gaussian grid differ by three times that."""


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


def time_problems(times: Times, data: DataConfig) -> Iterator[str]:
    """A sentence for each thing that is wrong with the times, or with their parts."""
    if data.step_hours < 1 or data.history < 1:
        yield (
            f"data: found step_hours {data.step_hours} and history {data.history}, expected "
            "whole numbers from 1"
        )
        return
    steps = np.diff(times)
    for wrong, what in (
        (steps < np.timedelta64(0), "an earlier time follows: sort them"),
        (steps == np.timedelta64(0), "the same time follows: drop one"),
    ):
        if wrong.any():
            yield f"time: after {_minute(times[wrong.argmax()])} {what}{_more(wrong)}"
    ordered = np.unique(times)
    if len(ordered) < 2:
        yield f"time: found {len(ordered)}, expected a series"
        return
    values, counts = np.unique(np.diff(ordered), return_counts=True)
    spacing, step = values[counts.argmax()], np.timedelta64(data.step_hours, "h")
    divides = step % spacing == np.timedelta64(0)
    if not divides:
        hours = spacing / np.timedelta64(1, "h")
        yield (
            f"time: states are {hours:g} hours apart, which does not divide data.step_hours "
            f"{data.step_hours}: choose a multiple"
        )
    try:
        yield from _gap_problems(ordered, data, spacing)
        yield from _part_problems(ordered, data, divides)
    except InputError as error:  # a day that is not a date
        yield str(error).rstrip(".")


def _gap_problems(times: Times, data: DataConfig, spacing: np.timedelta64) -> Iterator[str]:
    for part in PARTS:
        own = times[inside(times, data, part)]
        uneven = np.diff(own) != spacing
        if uneven.any():
            place = int(uneven.argmax())
            yield (
                f"time: in data.{part}, {_minute(own[place])} is followed by "
                f"{_minute(own[place + 1])}, expected {_minute(own[place] + spacing)}: fill the "
                f"gap in, or let the part end before it{_more(uneven)}"
            )


def _part_problems(times: Times, data: DataConfig, divides: bool) -> Iterator[str]:
    span = {part: bounds(data, part) for part in PARTS}
    day = np.timedelta64(1, "D")
    for part, (first, end) in span.items():
        written = " to ".join(getattr(data, part))
        if end <= first:
            yield f"data.{part}: {written} ends before it begins: exchange the days"
        elif divides and not len(starts(times, data, part, 1)):
            need = f"{data.history} + 1 states {data.step_hours} hours apart"
            yield (
                f"data.{part}: {written} holds {inside(times, data, part).sum()} of the source's "
                f"times, which go from {_minute(times[0])} to {_minute(times[-1])}, expected at "
                f"least {need}: choose other days"
            )
    ordered = sorted(PARTS, key=lambda part: span[part])
    for early, late in zip(ordered, ordered[1:], strict=False):
        gap = (span[late][0] - span[early][1]) / day
        if gap < 0:
            yield f"data.{early} and data.{late} overlap by {-gap:g} days: separate them"
        elif gap < data.gap_days:
            yield (
                f"data.{early} and data.{late} are {gap:g} days apart, expected at least "
                f"data.gap_days, {data.gap_days}: shorten one"
            )


def _minute(time: Any) -> str:
    return str(np.datetime64(time, "m"))


def _more(wrong: NDArray[np.bool_]) -> str:
    count = int(wrong.sum()) - 1
    return f" (and at {count} later time{'s' * (count > 1)})" if count else ""
