"""Initial states of forecasts, read from a file."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.data.checks import refusal, variable_problems
from weather.data.value_checks import ValueScan
from weather.fields.arrays import Times
from weather.fields.times import parse_time
from weather.io.compatibility import check_grid
from weather.io.source import Source
from weather.model import WeatherModel


@dataclass(frozen=True)
class InitialStates:
    """The states of a file, in the form that a model takes.

    Args:
        source: The file.
        model: The model.
    """

    source: Source
    model: WeatherModel

    @classmethod
    def open(cls, path: str | Path, model: WeatherModel) -> "InitialStates":
        """States of the file or URL at `path`.

        Raises:
            InputError: It cannot be read, lacks a variable or level, has a variable in units that
                are none of it, or is on another grid.
        """
        source, config = Source.open(str(path)), model.data
        check_grid(source.path, source.dataset, model.grid, "the model")
        names = dict.fromkeys(config.atmospheric + config.surface + config.forcing)
        problems = [text for name in names for text in variable_problems(source, config, name)]
        if problems:
            raise refusal(source.path, problems)
        return cls(source, model)

    @property
    def times(self) -> Times:
        """All times of the file."""
        return self.source.times

    def choose(self, wanted: Sequence[str]) -> list[np.datetime64]:
        """Initial times by name; ranges as first/last/step; by default the last of the file.

        Raises:
            InputError: A time cannot be read, or is not in the file, or lacks earlier states.
        """
        chosen = [time for text in wanted for time in _parse_times(text)] or [self.times[-1]]
        for time in chosen:
            self._history(time)
        return list(dict.fromkeys(chosen))

    def check(self, times: Sequence[np.datetime64], steps: int) -> str:
        """Look at all values that forecasts of `steps` from `times` use; return their digest.

        Raises:
            InputError: A value is missing, or impossible in the atmosphere, as in other units.
        """
        config, digest = self.model.data, hashlib.sha256()
        scan = ValueScan(config.state_channels, self.model.grid)
        forcing_scan = ValueScan(config.forcing_channels, self.model.grid, config.forcing)
        for time in times:
            values, forcing = self.states(time), self.forcing(time, steps)
            digest.update(values.tobytes())
            scan.look(self.times[self._history(time)], values)
            if forcing is not None:
                digest.update(forcing.tobytes())
                forcing_scan.look(self.times[self._future(time, steps)], forcing)
        problems = scan.problems() + forcing_scan.problems()
        if problems:
            raise refusal(self.source.path, problems)
        return digest.hexdigest()[:16]

    def states(self, time: str | datetime | np.datetime64) -> NDArray[np.float32]:
        """(history, S, H, W) in SI units, the latest at `time`.

        Raises:
            InputError: The file has no such time, or the states cannot be read.
        """
        return self.source.read(self.model.data.state_channels, self._history(parse_time(time)))

    def forcing(
        self, time: str | datetime | np.datetime64, steps: int
    ) -> NDArray[np.float32] | None:
        """(steps, F, H, W) at the valid times; None for a model without forcing.

        Raises:
            InputError: The file lacks one of the times, or the fields cannot be read.
        """
        channels = self.model.data.forcing_channels
        if not channels:
            return None
        return self.source.read(channels, self._future(parse_time(time), steps))

    def _history(self, time: np.datetime64) -> NDArray[np.int64]:
        latest_first = [self._place(time, -k, "states") for k in range(self.model.data.history)]
        return np.array(latest_first[::-1])

    def _future(self, time: np.datetime64, steps: int) -> NDArray[np.int64]:
        return np.array([self._place(time, k + 1, "forcing") for k in range(steps)])

    def _place(self, start: np.datetime64, steps: int, what: str) -> int:
        """Index of the time `steps` steps after `start`."""
        time = start + steps * np.timedelta64(self.model.data.step_hours, "h")
        found = np.flatnonzero(self.times == time)
        if len(found) != 1:
            first, last = (str(self.times[k].astype("datetime64[h]")) for k in (0, -1))
            remedy = "remove the repeated times from it" if len(found) else "choose another time"
            raise InputError(
                f"The file has {len(found) or 'no'} {what} at {time.astype('datetime64[m]')}, "
                f"expected one; it has {len(self.times)} times from {first} to {last}: {remedy}."
            )
        return int(found[0])


def _parse_times(text: str) -> list[np.datetime64]:
    """One time, or all from first/last/step."""
    try:
        first, *rest = text.split("/")
        start = parse_time(first)
        if not rest:
            return [start]
        last, step = rest
        hours = np.timedelta64(int(step.removesuffix("h")), "h")
        times = np.arange(start, parse_time(last) + np.timedelta64(1, "h"), hours)
        if not len(times):
            raise ValueError
        return list(times)
    except (InputError, ValueError, ZeroDivisionError):
        raise InputError(
            f"Found --time {text}, expected a time such as 2003-11-01T00, or a range such as "
            "2003-11-01/2003-11-11/48h, from the first to the last, all of UTC."
        ) from None
