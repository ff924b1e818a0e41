"""States of one channel over time: the truth, and the climatology of past states."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from refine_core.errors import InputError
from weather.fields.arrays import Array, Times
from weather.fields.season import LEAST_STATES, MOST_STATES, WINDOW, evenly_spaced, season
from weather.io.files import read_errors
from weather.io.values import map_values
from weather.metrics.sorting import quantile
from weather.plots.display import Display


@dataclass(frozen=True, eq=False)
class States:
    """States of one channel; methods return the units of the picture.

    Args:
        name: Name in messages, such as "the truth".
        display: Units of the picture.
        array: (time, [level], latitude, longitude) in the file's units, times ascending.
    """

    name: str
    display: Display
    array: xr.DataArray

    @property
    def times(self) -> Times:
        """(T,) all times."""
        return np.asarray(self.array["time"].values)

    def at(self, times: Times) -> Array:
        """Maps (T, H, W) at some of the times."""
        with read_errors(self.name):
            return self.display(map_values(self.array.sel(time=times))[:, 0])

    def at_point(self, times: Times, row: int, column: int) -> Array:
        """Values (T,) at a grid point, NaN at unknown times."""
        known = np.isin(times, self.times)
        values = np.full(len(times), np.nan, np.float32)
        place = {"latitude": row, "longitude": column}
        with read_errors(self.name):
            found = self.array.isel(place).sel(time=times[known])
            values[known] = found.values.reshape(-1)
        return self.display(values)


@dataclass(frozen=True, eq=False)
class Climatology:
    """What states of past years say about a season, as in the reports of `refine weather verify`.

    Args:
        states: Past states, none of which is later than the forecast may know.
    """

    states: States

    def mean(self, when: np.datetime64) -> Array:
        """Mean (H, W) of the season of a time."""
        return np.asarray(self._season(when).mean(0, dtype=np.float64), np.float32)

    def quantiles(self, when: np.datetime64, levels: tuple[float, ...]) -> Array:
        """Quantiles (q, H, W) of the season of a time."""
        return quantile(self._season(when), levels)

    def quantiles_at_point(
        self, when: Times, row: int, column: int, levels: tuple[float, ...]
    ) -> Array:
        """Quantiles (q, T) of the seasons of some times at a grid point."""
        seasons = [self._times(each) for each in when]
        times = np.unique(np.concatenate(seasons))
        values = self.states.at_point(times, row, column)
        past = [values[np.searchsorted(times, each)] for each in seasons]
        return np.stack([np.quantile(each, levels) for each in past], 1)

    def _season(self, when: np.datetime64) -> Array:
        return self.states.at(self._times(when))

    def _times(self, when: np.datetime64) -> Times:
        """Times of the states of a season, evenly spaced if there are more than enough.

        Raises:
            InputError: There are not enough.
        """
        index = season(self.states.times, when)
        if len(index) < LEAST_STATES:
            raise InputError(
                f"{self.states.name} has {len(index)} states at the hour of the day and within "
                f"{WINDOW:g} days of the day of the year of {when.astype('datetime64[h]')}, "
                f"expected {LEAST_STATES} or more: give a longer --history, or none."
            )
        return self.states.times[evenly_spaced(index, MOST_STATES)]
