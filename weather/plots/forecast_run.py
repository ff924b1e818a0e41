"""A forecast file at one of its initial times, with the truth: where pictures get data from."""

import re
from collections.abc import Sequence

import numpy as np
import xarray as xr

from refine_core.errors import InputError
from weather.fields.arrays import Leads, Times
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.season import GAP
from weather.fields.times import AnyTime, parse_time
from weather.io.canonical import DIMS, LEAD, TRUTH_DIMS, grid_of
from weather.io.compatibility import check_dims, check_grid, check_units
from weather.io.files import open_files, read_errors
from weather.io.forecasts import as_forecast, as_states, chosen_channels, known_channels
from weather.io.values import load_if_small, select_levels
from weather.plots.display import Display
from weather.plots.forecast_field import ForecastField
from weather.plots.states import Climatology, States


class ForecastRun:
    """A forecast, most often an ensemble, from one initial time.

    Args:
        name: Name of the file, as its user calls it.
        forecast: Forecast in any layout that `weather.io.canonical` reads.
        truth: Likewise; None if it is not known.
        variables: Such as geopotential or geopotential_500; by default all that forecast and truth
            share.
        time: The initial time. By default the last one, or with a truth the last of those whose
            lead times it covers best.
        history: Earlier states, which make a climatology. As in verification, those later than
            `GAP` before the initial time are not used.

    Raises:
        InputError: It is no forecast, lacks a variable or the time, or the truth or the history
            is of other variables or units, or on another grid.
    """

    def __init__(
        self,
        name: str,
        forecast: xr.Dataset,
        truth: xr.Dataset | None = None,
        variables: Sequence[str] = (),
        time: AnyTime = "",
        history: xr.Dataset | None = None,
    ) -> None:
        self.name = name
        data = with_wind_speed(as_forecast(forecast, name))
        self.truth = None if truth is None else _states("The truth", truth)
        self.history = None if history is None else _states("The history", history)
        for states, what in ((self.truth, "the truth"), (self.history, "the history")):
            if states is not None:
                check_grid(name, data, grid_of(states), what)
        other, label = (data, name) if self.truth is None else (self.truth, "the truth")
        self.channels = chosen_channels(data, other, name, label, variables)
        self.offered = known_channels(data)
        self.start = self._choose_start(data, time)
        self.forecast = data.sel(time=self.start, drop=True)

    @classmethod
    def open(
        cls,
        path: str,
        truth: str | None,
        variables: Sequence[str],
        time: str,
        history: str | None = None,
    ) -> "ForecastRun":
        """The run in a file; see the class."""
        happened, past = (None if p is None else open_files(p) for p in (truth, history))
        return cls(path, open_files(path), happened, variables, time, past)

    @property
    def grid(self) -> Grid:
        """The grid of the maps."""
        return grid_of(self.forecast)

    @property
    def leads(self) -> Leads:
        """All lead times."""
        return np.asarray(self.forecast[LEAD].values)

    def field(self, channel: Channel, *, load: bool = True) -> ForecastField:
        """One channel.

        Args:
            channel: Which.
            load: Whether its values are read into memory now, unless they are too large.
        """
        array = select_levels(self.forecast, [channel])
        check_dims(self.name, array, DIMS)
        display = Display.of(channel, str(array.attrs.get("units", "")))
        truth, past = (
            None if states is None else _select(what, states, channel, display)
            for what, states in (("The truth", self.truth), ("The history", self.history))
        )
        for states in (truth, past):
            if states is not None:
                check_units(self.name, array, states.array, states.name.lower())
        if past is not None:
            earlier = past.array.isel(time=past.times <= self.start - GAP)
            past = States(past.name, display, load_if_small(earlier) if load else earlier)
        if load:
            with read_errors(self.name):
                array = load_if_small(array)
        climatology = None if past is None else Climatology(past)
        return ForecastField(channel, display, self.name, self.start, array, truth, climatology)

    def _choose_start(self, data: xr.Dataset, time: AnyTime) -> np.datetime64:
        """The initial time that is asked for, or the default."""
        times: Times = data["time"].values
        if time:
            return _find_time(time, times, self.name)
        if self.truth is None:
            return np.datetime64(times[-1])
        covered = np.isin(times[:, None] + data[LEAD].values, self.truth["time"].values).sum(1)
        return np.datetime64(times[np.flatnonzero(covered == covered.max())[-1]])


def speed_name(variable: str) -> str:
    """Name of the speed of the wind that a variable is a component of.

    >>> speed_name("10m_u_component_of_wind"), speed_name("v_component_of_wind")
    ('10m_wind_speed', 'wind_speed')
    """
    return re.sub("[uv]_component_of_wind", "wind_speed", variable)


def with_wind_speed(data: xr.Dataset) -> xr.Dataset:
    """The data set with the speed of each wind that it has both components of."""
    speeds = {}
    for u in map(str, data.data_vars):
        v = u.replace("u_component_of_wind", "v_component_of_wind")
        name = speed_name(u)
        if u != v and v in data and name not in data:
            speed = xr.apply_ufunc(np.hypot, data[u], data[v], dask="parallelized")
            speeds[name] = speed.assign_attrs(units=data[u].attrs.get("units", ""))
    return data.assign(speeds)


def _states(name: str, states: xr.Dataset) -> xr.Dataset:
    return with_wind_speed(as_states(states, name))


def _select(what: str, states: xr.Dataset, channel: Channel, display: Display) -> States | None:
    """States of a channel; None if they lack it.

    Raises:
        InputError: They have an unknown dimension, or cannot be read.
    """
    if channel not in known_channels(states):
        return None
    array = select_levels(states, [channel])
    check_dims(what, array, TRUTH_DIMS)
    return States(what, display, array)


def _find_time(text: AnyTime, times: Times, name: str) -> np.datetime64:
    try:
        wanted = parse_time(text)
    except InputError:
        raise InputError(f"Found --time {text}, expected one such as 2003-11-01T00.") from None
    if wanted not in times:
        first, last = times[[0, -1]].astype("datetime64[h]")
        raise InputError(
            f"{name} has no initial time {text}, it has {len(times)} from {first} to {last}: "
            "choose one of them."
        )
    return wanted
