"""Initial states for a forecast, from a file."""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.data.array_file import read
from weather.data.checks import refusal, variable_problems
from weather.data.value_checks import Scan
from weather.io.compatibility import check_grid
from weather.io.dataset import open_dataset, times_of
from weather.model import WeatherModel


@dataclass(frozen=True)
class InitialStates:
    """States of a file, as a model takes them.

    Args:
        path: Of the file.
        source: Canonical.
        model: The model.
    """

    path: str
    source: xr.Dataset
    model: WeatherModel

    @classmethod
    def open(cls, path: str, model: WeatherModel) -> "InitialStates":
        """States of the file at `path`.

        Raises:
            InputError: It cannot be read, lacks a variable or level, has one in units that are
                none of it, or another grid.
        """
        source, data = open_dataset(path), replace(model.config.data, source=path)
        check_grid(path, source, model.grid, "the model")
        names = dict.fromkeys(data.atmospheric + data.surface + data.forcing)
        problems = [text for name in names for text in variable_problems(source, data, name)]
        if problems:
            raise refusal(data, problems)
        return cls(path, source, model)

    @property
    def times(self) -> NDArray[np.datetime64]:
        """All times of the file."""
        return times_of(self.source)

    def choose(self, wanted: tuple[str, ...]) -> list[np.datetime64]:
        """Initial times by name; ranges as first/last/step; by default the last of the file.

        Raises:
            InputError: A time cannot be read, or is not in the file, or lacks earlier states.
        """
        chosen = [time for text in wanted for time in _times(text)] or [self.times[-1]]
        for time in chosen:
            self._places(time)
        return list(dict.fromkeys(chosen))

    def check(self, times: Sequence[np.datetime64], steps: int) -> str:
        """Look at all that forecasts of `steps` from `times` will use; return its digest.

        Raises:
            InputError: A value is missing, or none that the atmosphere has, as of other units.
        """
        data, digest = self.model.config.data, hashlib.sha256()
        scan = Scan(self.model.channels, self.model.grid)
        outside = Scan(self.model.config.data.forcing_channels, self.model.grid, data.forcing)
        for time in times:
            values, forcing = self.states(time), self.forcing(time, steps)
            digest.update(values.tobytes())
            scan.look(self.times[self._places(time)], values)
            if forcing is not None:
                digest.update(forcing.tobytes())
                outside.look(self.times[self._ahead(time, steps)], forcing)
        problems = scan.problems() + outside.problems()
        if problems:
            raise refusal(replace(data, source=self.path), problems)
        return digest.hexdigest()[:16]

    def states(self, time: np.datetime64) -> NDArray[np.float32]:
        """(history, C, H, W) in SI units, the latest at `time`.

        Raises:
            InputError: They cannot be read.
        """
        return read(self.source, self.model.channels, self._places(time))

    def forcing(self, time: np.datetime64, steps: int) -> NDArray[np.float32] | None:
        """(steps, F, H, W) at the valid times.

        Raises:
            InputError: They cannot be read.
        """
        if not self.model.config.data.forcing:
            return None
        return read(self.source, self.model.config.data.forcing_channels, self._ahead(time, steps))

    def _places(self, time: np.datetime64) -> NDArray[np.int64]:
        data = self.model.config.data
        step = np.timedelta64(data.step_hours, "h")
        back = reversed(range(data.history))
        return np.array([self._place(time - step * k, "states") for k in back])

    def _ahead(self, time: np.datetime64, steps: int) -> NDArray[np.int64]:
        step = np.timedelta64(self.model.config.data.step_hours, "h")
        return np.array([self._place(time + step * (k + 1), "forcing") for k in range(steps)])

    def _place(self, time: np.datetime64, what: str) -> int:
        found = np.flatnonzero(self.times == time)
        if len(found) != 1:
            first, last = (str(self.times[k].astype("datetime64[h]")) for k in (0, -1))
            raise InputError(
                f"The file has {len(found) or 'no'} {what} at {time.astype('datetime64[h]')}, "
                f"expected one; it goes from {first} to {last} in {len(self.times)} times: choose "
                "another of them, or keep one of each."
            )
        return int(found[0])


def _times(text: str) -> list[np.datetime64]:
    """One time, or all from first/last/step."""
    try:
        first, *rest = (part.removesuffix("Z") for part in text.split("/"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # as of another time zone
            if not rest:
                return [np.datetime64(first, "ns")]
            last, step = rest
            hours = np.timedelta64(int(step.removesuffix("h")), "h")
            times = np.arange(np.datetime64(first, "h"), np.datetime64(last, "h") + 1, hours)
        if not len(times):
            raise ValueError
        return list(times.astype("datetime64[ns]"))
    except (ValueError, ZeroDivisionError, Warning):
        raise InputError(
            f"Found --time {text}, expected a time such as 2003-11-01T00, or a range such as "
            "2003-11-01/2003-11-11/48h, from the first to the last, all of UTC."
        ) from None
