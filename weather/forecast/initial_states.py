"""Initial states of forecasts, read from a file."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from refine_core.errors import InputError
from weather.config import WeatherConfig
from weather.data.checks import refusal, variable_problems
from weather.data.value_checks import ValueScan
from weather.fields.arrays import Times
from weather.fields.channel import Channel
from weather.fields.insolation import COMPUTED
from weather.fields.times import AnyTime, parse_time
from weather.forecaster.rollout import Rollable
from weather.io.canonical import TRUTH_DIMS
from weather.io.compatibility import check_dims, check_grid
from weather.io.files import open_given
from weather.io.source import Source

TimesWanted = AnyTime | Sequence[AnyTime] | Times | xr.DataArray


class ForecastModel(Rollable, Protocol):
    """What forecasts need of a model."""

    config: WeatherConfig
    digest: str
    """Identifies the model."""
    std: Tensor
    """(C,) standard deviation of each channel, in SI units."""


@dataclass(frozen=True)
class InitialStates:
    """The states of a file, in the form that a model takes.

    Args:
        source: The file. Of an ensemble of states along `number`, each member of the forecast
            starts from its own; those beyond start from the first again, and so on.
        model: The model.

    >>> import weather
    >>> from weather.samples import STATES
    >>> states = weather.InitialStates.open(STATES, weather.load("gcm"))
    >>> times = states.choose("2019-11-15/2019-11-17/24h")
    >>> len(times), states.states(times[0]).shape
    (3, (1, 25, 32, 64))
    """

    source: Source
    model: ForecastModel

    @classmethod
    def open(cls, given: str | Path | xr.Dataset, model: ForecastModel) -> "InitialStates":
        """States of a file or URL, or of a data set.

        Raises:
            InputError: It cannot be read, lacks a variable or level, has a variable in units that
                are none of it, or along a dimension that is unknown, or is on another grid.
        """
        name = str(given) if isinstance(given, str | Path) else "The data set"
        source = Source.of(open_given(given, "initial states"), name)
        check_grid(source.path, source.dataset, model.grid, "the model")
        config, first = model.data, source.members[0]
        names = dict.fromkeys(config.atmospheric + config.surface + config.forcing)
        for name in names.keys() & source.dataset.keys():
            check_dims(source.path, source.dataset[name], (*TRUTH_DIMS, "number"))
        problems = [text for name in names for text in variable_problems(first, config, name)]
        if problems:
            raise refusal(source.path, problems)
        return cls(source, model)

    @property
    def times(self) -> Times:
        """All times of the file."""
        return self.source.times

    def choose(self, wanted: TimesWanted) -> list[np.datetime64]:
        """Initial times; as text also ranges first/last/step; by default the last of the file.

        Raises:
            InputError: A time cannot be read, or is not in the file, or lacks earlier states.
        """
        if not len(self.times):
            raise InputError(f"{self.source.path} has no times, expected a dimension time.")
        if isinstance(wanted, xr.DataArray | np.ndarray):
            wanted = list(np.atleast_1d(np.asarray(wanted)))
        if isinstance(wanted, AnyTime) or not isinstance(wanted, Iterable):
            wanted = [wanted]
        chosen = [time for text in wanted for time in _parse_times(text)] or [self.times.max()]
        for time in chosen:
            self._history(time)
        return list(dict.fromkeys(chosen))

    def check(self, times: Sequence[np.datetime64], steps: int) -> str:
        """Look at all values that forecasts of `steps` from `times` use; return their digest.

        Raises:
            InputError: A value is missing, or impossible in the atmosphere, as in other units.
        """
        config, digest = self.model.data, hashlib.sha256()
        grid, absent = self.model.grid, self.model.absent
        cells = None if absent is None else absent.cpu().numpy()
        own, behind = (len(each) for each in (config.state_channels, config.channels))
        parts = (None, None) if cells is None else (cells[:own], cells[behind:])
        scan = ValueScan(config.state_channels, grid, absent=parts[0])
        forcing_scan = ValueScan(config.forcing_channels, grid, config.forcing, absent=parts[1])
        for time in times:
            values, forcing = self.states(time), self.forcing(time, steps)
            digest.update(values.tobytes())
            for member in values.reshape(-1, *values.shape[-4:]):
                scan.look(self.times[self._history(time)], member)
            if forcing is not None:
                digest.update(forcing.tobytes())
                forcing_scan.look(self._valid(time, steps), forcing)
        problems = scan.problems() + forcing_scan.problems()
        if problems:
            raise refusal(self.source.path, problems)
        return digest.hexdigest()[:16]

    def states(self, time: AnyTime) -> NDArray[np.float32]:
        """(history, S, H, W) in SI units, the latest at `time`; (k, ...) of an ensemble of k.

        Raises:
            InputError: The file has no such time, or the states cannot be read.
        """
        index, channels = self._history(parse_time(time)), self.model.data.state_channels
        states = [member.read(channels, index) for member in self.source.members]
        return np.stack(states) if len(states) > 1 else states[0]

    def forcing(self, time: AnyTime, steps: int) -> NDArray[np.float32] | None:
        """(steps, F, H, W) at the valid times; None for a model without forcing.

        What the file lacks is computed, if that is possible, at times beyond the file, too.

        Raises:
            InputError: The file lacks one of the times, or the fields cannot be read.
        """
        names, source = self.model.data.forcing, self.source.members[0]
        if not names:
            return None
        start, fields = parse_time(time), {}
        computed = [name for name in names if name in COMPUTED and name not in source.dataset]
        read = [Channel(name) for name in names if name not in computed]
        if read:
            maps = source.read(read, self._future(start, steps))
            fields = {channel.variable: maps[:, k] for k, channel in enumerate(read)}
        for name in computed:
            fields[name] = COMPUTED[name](self._valid(start, steps), source.grid)
        return np.stack([fields[name] for name in names], 1).astype(np.float32)

    def _history(self, time: np.datetime64) -> NDArray[np.int64]:
        latest_first = [self._place(time, -k, "states") for k in range(self.model.data.history)]
        return np.array(latest_first[::-1])

    def _future(self, time: np.datetime64, steps: int) -> NDArray[np.int64]:
        return np.array([self._place(time, k + 1, "forcing") for k in range(steps)])

    def _valid(self, time: np.datetime64, steps: int) -> Times:
        """Times (steps,) of the states that follow."""
        step = np.timedelta64(self.model.data.step_hours, "h")
        return np.asarray(time + step * np.arange(1, steps + 1))

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


def _parse_times(text: AnyTime) -> list[np.datetime64]:
    """One time, or all from first/last/step."""
    if not isinstance(text, str):
        return [parse_time(text)]
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
            f"Found --time {text}, expected a time such as 2019-11-01T00, or a range such as "
            "2019-11-01/2019-11-11/48h, from the first to the last, all of UTC."
        ) from None
