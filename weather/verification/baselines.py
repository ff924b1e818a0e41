"""Forecasts that cost nothing: climatology, persistence, and ensembles of both.

All come from states before the first forecast, `history`. A season is the days of the year within
`WINDOW` of a day, in all years of the history, at the same hour of the day.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from weather.fields.arrays import Array, Times
from weather.io import values as fields
from weather.io.compatibility import check_finite
from weather.io.files import read_errors
from weather.io.forecasts import known_channels
from weather.io.values import map_values
from weather.metrics.sorting import quantile

NAMES = ("climatology", "climatological ensemble", "persistence", "dressed persistence")

WINDOW = 15.0
"""Days of the year on either side that count as the same season."""
SAMPLES = 120
"""States of a season that climatology is made of, at most."""
LEAST = 10
"""States that a season must have to be used."""
QUANTILES = (0.1, 0.9)
"""Of climatology; what lies beyond is an event."""
YEAR = 365.2425


@dataclass(frozen=True)
class Climate:
    """A season, for one variable.

    Args:
        mean: (L, H, W).
        quantiles: (Q, L, H, W) at `QUANTILES`.
    """

    mean: Array
    quantiles: Array


class History:
    """Past states of one variable.

    Args:
        states: (time, [level], latitude, longitude), times unique and ascending.
        asked: Times for which seasons are wanted; other hours of the day are not read.
    """

    def __init__(self, states: xr.DataArray, asked: Times) -> None:
        states = states.isel(time=np.isin(_hour(states["time"].values), _hour(asked)))
        self._states, self._channels = states, known_channels(states.to_dataset())
        with read_errors(f"The history: {states.name}"):
            self._held = map_values(states) if states.nbytes <= fields.BUDGET else None
        self.times: Times = states["time"].values
        self._hours, self._days = _hour(self.times), _day(self.times)

    def season(self, when: np.datetime64) -> NDArray[np.int64]:
        """Indices of the states of the same season and hour."""
        away = np.abs((self._days - _day(when) + YEAR / 2) % YEAR - YEAR / 2)
        return np.flatnonzero((away <= WINDOW) & (self._hours == _hour(when)))

    def take(self, index: NDArray[np.int64]) -> Array:
        """States (n, L, H, W) at indices (n,).

        Raises:
            InputError: They cannot be read, or a value is missing.
        """
        with read_errors(f"The history: {self._states.name}"):
            held = self._held
            states = map_values(self._states.isel(time=index)) if held is None else held[index]
        check_finite("The history", states, self._channels, self.times[index])
        return states

    def climate(self, when: np.datetime64) -> Climate:
        """Mean and quantiles of a season."""
        states = self.take(thinned(self.season(when), SAMPLES))
        mean = states.mean(0, dtype=np.float64).astype(states.dtype)
        return Climate(mean, quantile(states, QUANTILES))

    def ensemble(self, when: np.datetime64, members: int) -> Array:
        """Climatological ensemble: states (m, L, H, W) of a season, m <= members."""
        return self.take(thinned(self.season(when), members))

    def dressed(
        self, start: Array, init: np.datetime64, lead: np.timedelta64, members: int
    ) -> Array:
        """Persistence dressed with its errors in the past, of the same season and lead time.

        Args:
            start: (L, H, W) state at `init`.
            init: Start of the forecast.
            lead: Lead time.
            members: m, at most.

        Returns:
            (m, L, H, W).
        """
        first, then = self.pairs(init, lead)
        chosen = thinned(np.arange(len(first)), members)
        return start + self.take(then[chosen]) - self.take(first[chosen])

    def pairs(
        self, init: np.datetime64, lead: np.timedelta64
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of states in the season of `init`, and of those `lead` later."""
        first = self.season(init)
        later = self.times[first] + lead
        then = np.minimum(np.searchsorted(self.times, later), len(self.times) - 1)
        known = self.times[then] == later
        return first[known], then[known]


def forecasts(
    history: History | None,
    climate: Climate | None,
    start: Array | None,
    init: np.datetime64,
    lead: np.timedelta64,
    members: int,
    *,
    paired: bool,
) -> dict[str, Array]:
    """Baselines (m, L, H, W) by name, as far as there are history and start.

    Args:
        history: Of the variable.
        climate: Of the valid time, from the history.
        start: (L, H, W) state at `init`.
        init: Start of the forecast.
        lead: Lead time.
        members: m of the ensembles, at most.
        paired: Whether the history has pairs of states for dressed persistence.
    """
    result: dict[str, Array] = {}
    if history is not None and climate is not None:
        result["climatology"] = climate.mean[None]
        result["climatological ensemble"] = history.ensemble(init + lead, members)
    if start is not None:
        result["persistence"] = start[None]
    if history is not None and start is not None and paired:
        result["dressed persistence"] = history.dressed(start, init, lead, members)
    return result


def before(states: xr.Dataset, init: np.datetime64, gap_days: int = 15) -> xr.Dataset:
    """States at least `gap_days` before the first start: nothing of the verified time is known."""
    return states.isel(time=states["time"].values <= init - np.timedelta64(gap_days, "D"))


def covers(
    times: Times, inits: Times, leads: NDArray[np.timedelta64], there: NDArray[np.bool_]
) -> tuple[bool, NDArray[np.bool_]]:
    """Whether a history of some times holds what the baselines of forecasts need.

    Args:
        times: (n,) of the history.
        inits: (I,) starts.
        leads: (T,) lead times.
        there: (I, T) whether a pair of both is a forecast.

    Returns:
        Whether each forecast finds `LEAST` states for its climatology; and (T,), whether each of
        that lead time finds as many pairs of states for the errors of its persistence.
    """
    empty = np.zeros((len(times), 1, 1), np.float32)
    states = xr.DataArray(empty, {"time": times}, ["time", "latitude", "longitude"], "times")
    history = History(states, times)
    seasons, pairs = True, np.ones(len(leads), bool)
    for i, t in np.argwhere(there):
        seasons &= len(history.season(inits[i] + leads[t])) >= LEAST
        pairs[t] &= len(history.pairs(inits[i], leads[t])[0]) >= LEAST
    return seasons, pairs


def thinned(index: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most `most` of the indices, evenly spread.

    >>> thinned(np.arange(10), 4).tolist()
    [0, 3, 6, 9]
    """
    if len(index) <= most:
        return index
    return index[np.linspace(0, len(index) - 1, most).round().astype(np.int64)]


def _hour(when: Any) -> Any:
    """Hour of the day."""
    return np.asarray(when).astype("datetime64[h]").astype(np.int64) % 24


def _day(when: Any) -> Any:
    """Day of the year, from 0, with its fraction."""
    when = np.asarray(when).astype("datetime64[s]")
    year = when.astype("datetime64[Y]").astype("datetime64[s]")
    return (when - year) / np.timedelta64(86400, "s")
