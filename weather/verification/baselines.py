"""Forecasts without a model: climatology, persistence, and ensembles of both.

They are made of states before the first forecast, the history. The season of a time is all states
of the history at the same hour of the day, near the same day of the year, see
`weather.fields.season`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from weather.fields.arrays import Array, Leads, Times
from weather.fields.season import (
    GAP,
    LEAST_STATES,
    MOST_STATES,
    evenly_spaced,
    same_hour,
    season,
)
from weather.io import values as reading
from weather.io.compatibility import check_finite
from weather.io.files import read_errors
from weather.io.forecasts import known_channels
from weather.io.values import map_values
from weather.metrics.sorting import quantile

NAMES = ("climatology", "climatological ensemble", "persistence", "dressed persistence")

QUANTILES = (0.1, 0.9)
"""Quantiles of climatology; a value above one of them is an event."""


@dataclass(frozen=True)
class Climate:
    """Climatology of one variable at one time.

    Args:
        mean: (L, H, W).
        deviation: (L, H, W) standard deviation.
        quantiles: (Q, L, H, W) at `QUANTILES`.
    """

    mean: Array
    deviation: Array
    quantiles: Array


class History:
    """Past states of one variable.

    Args:
        states: (time, [level], latitude, longitude), times unique and ascending.
        wanted: Times for which seasons are needed; states at other hours of the day are not read.
        fill: Completes maps where numbers may be missing.
        budget: Bytes that are held in memory; of more, each state is read when it is needed.
    """

    def __init__(
        self,
        states: xr.DataArray,
        wanted: Times,
        fill: Callable[[Array], Array] = np.asarray,
        budget: float | None = None,
    ) -> None:
        budget = reading.BUDGET if budget is None else budget
        self._fill = fill
        states = states.isel(time=same_hour(states["time"].values, wanted))
        self._states, self._channels = states, known_channels(states.to_dataset())
        with read_errors(f"The history: {states.name}"):
            self._loaded = map_values(states) if states.nbytes <= budget else None
        self.held = states.nbytes if self._loaded is not None else 0
        """Bytes in memory."""
        self.times: Times = states["time"].values

    def season(self, when: np.datetime64) -> NDArray[np.int64]:
        """Indices of the states of the same season and hour."""
        return season(self.times, when)

    def take(self, index: NDArray[np.int64]) -> Array:
        """States (n, L, H, W) at indices (n,).

        Raises:
            InputError: They cannot be read, or a value is missing.
        """
        with read_errors(f"The history: {self._states.name}"):
            loaded = self._loaded
            states = map_values(self._states.isel(time=index)) if loaded is None else loaded[index]
        states = self._fill(states)
        check_finite("The history", states, self._channels, self.times[index])
        return states

    def climate(self, when: np.datetime64) -> Climate:
        """Mean and quantiles of the season of a time."""
        states = self.take(evenly_spaced(self.season(when), MOST_STATES))
        mean = states.mean(0, dtype=np.float64).astype(states.dtype)
        return Climate(mean, states.std(0), quantile(states, QUANTILES))

    def ensemble(self, when: np.datetime64, members: int) -> Array:
        """Climatological ensemble: states (m, L, H, W) of a season, m <= members."""
        return self.take(evenly_spaced(self.season(when), members))

    def dressed(
        self, start: Array, init: np.datetime64, lead: np.timedelta64, members: int
    ) -> Array:
        """Persistence plus its errors in past forecasts of the same season and lead time.

        Args:
            start: (L, H, W) state at `init`.
            init: Start of the forecast.
            lead: Lead time.
            members: m, at most.

        Returns:
            (m, L, H, W).
        """
        first, last = self.pairs(init, lead)
        chosen = evenly_spaced(np.arange(len(first)), members)
        return start + self.take(last[chosen]) - self.take(first[chosen])

    def pairs(
        self, init: np.datetime64, lead: np.timedelta64
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of states in the season of `init`, and of the states `lead` later."""
        first = self.season(init)
        valid = self.times[first] + lead
        last = np.minimum(np.searchsorted(self.times, valid), len(self.times) - 1)
        known = self.times[last] == valid
        return first[known], last[known]


def baseline_forecasts(
    history: History | None,
    climate: Climate | None,
    start: Array | None,
    init: np.datetime64,
    lead: np.timedelta64,
    members: int,
    *,
    paired: bool,
) -> dict[str, Array]:
    """Baselines (m, L, H, W) by name, those that history and start allow.

    Args:
        history: History of the variable; None if it is too short.
        climate: Climatology of the valid time, from the history.
        start: (L, H, W) state at `init`; None if it is not known.
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


def states_before(states: xr.Dataset, init: np.datetime64) -> xr.Dataset:
    """States at least `GAP` before the first start, which know nothing of later weather."""
    return states.isel(time=states["time"].values <= init - GAP)


def coverage(
    times: Times, inits: Times, leads: Leads, verified: NDArray[np.bool_]
) -> tuple[bool, NDArray[np.bool_]]:
    """Whether a history of some times has enough states for the baselines of forecasts.

    Args:
        times: (n,) of the history.
        inits: (I,) starts.
        leads: (T,) lead times.
        verified: (I, T) whether a pair of start and lead time is verified.

    Returns:
        Whether there are `LEAST_STATES` for the climatology of every forecast; and (T,), whether
        there are as many pairs of states for the errors of persistence at a lead time.
    """
    empty = np.zeros((len(times), 1, 1), np.float32)
    states = xr.DataArray(empty, {"time": times}, ["time", "latitude", "longitude"], "times")
    history = History(states, times)
    seasons, pairs = True, np.ones(len(leads), bool)
    for i, t in np.argwhere(verified):
        seasons &= len(history.season(inits[i] + leads[t])) >= LEAST_STATES
        pairs[t] &= len(history.pairs(inits[i], leads[t])[0]) >= LEAST_STATES
    return seasons, pairs
