"""Initial states for a forecast, from a file."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.grid import Channel
from weather.source import fields, grid_of, open_dataset
from weather.trained import WeatherModel


@dataclass(frozen=True)
class InitialStates:
    """States of a file, as a model takes them.

    Args:
        data: (time, channel, latitude, longitude) the model's channels.
        outside: (time, channel, latitude, longitude) its forcing fields, None if it has none.
        model: The model.
    """

    data: xr.DataArray
    outside: xr.DataArray | None
    model: WeatherModel

    @classmethod
    def open(cls, path: str, model: WeatherModel) -> "InitialStates":
        """States of the file at `path`.

        Raises:
            InputError: It cannot be read, lacks a variable or level, or has another grid.
        """
        dataset = open_dataset(path)
        found = grid_of(dataset)
        if found != model.grid:
            raise InputError(
                f"{path} is on a grid of {found.shape[0]} latitudes and {found.shape[1]} "
                f"longitudes, the model on one of {model.grid.shape[0]} and "
                f"{model.grid.shape[1]}: regrid the file, or train on its grid."
            )
        names = model.config.data.forcing
        outside = fields(dataset, [Channel(name) for name in names]) if names else None
        return cls(fields(dataset, model.channels), outside, model)

    @property
    def times(self) -> NDArray[np.datetime64]:
        """All times of the file."""
        return self.data["time"].values

    def choose(self, wanted: tuple[str, ...]) -> list[np.datetime64]:
        """Initial times by name; ranges as first/last/step; by default the last of the file.

        Raises:
            InputError: A time cannot be read, or is not in the file, or lacks earlier states.
        """
        if not wanted:
            return [self.times[-1]]
        chosen = [time for text in wanted for time in _times(text)]
        for time in chosen:
            self._places(time)
        return chosen

    def states(self, time: np.datetime64) -> NDArray[np.float32]:
        """(history, C, H, W) in SI units, the latest at `time`."""
        return np.asarray(self.data.isel(time=self._places(time)).values, dtype=np.float32)

    def forcing(self, time: np.datetime64, steps: int) -> NDArray[np.float32] | None:
        """(steps, F, H, W) at the valid times."""
        if self.outside is None:
            return None
        step = np.timedelta64(self.model.config.data.step_hours, "h")
        places = [self._place(time + step * (k + 1), "forcing") for k in range(steps)]
        return np.asarray(self.outside.isel(time=places).values, dtype=np.float32)

    def _places(self, time: np.datetime64) -> list[int]:
        data = self.model.config.data
        step = np.timedelta64(data.step_hours, "h")
        return [self._place(time - step * k, "states") for k in reversed(range(data.history))]

    def _place(self, time: np.datetime64, what: str) -> int:
        found = np.flatnonzero(self.times == time)
        if not len(found):
            first, last = (str(self.times[k].astype("datetime64[h]")) for k in (0, -1))
            raise InputError(
                f"The file has no {what} at {time.astype('datetime64[h]')}, it goes from {first} "
                f"to {last} in {len(self.times)} times: choose one of them."
            )
        return int(found[0])


def _times(text: str) -> list[np.datetime64]:
    """One time, or all from first/last/step."""
    try:
        first, *rest = text.split("/")
        if not rest:
            return [np.datetime64(first, "ns")]
        last, step = rest
        hours = np.timedelta64(int(step.removesuffix("h")), "h")
        times = np.arange(np.datetime64(first, "h"), np.datetime64(last, "h") + 1, hours)
        return list(times.astype("datetime64[ns]"))
    except ValueError:
        raise InputError(
            f"Found --time {text}, expected a time such as 2003-11-01T00, or a range such as "
            "2003-11-01/2003-11-11/48h."
        ) from None
