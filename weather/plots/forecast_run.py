"""A forecast file at one of its initial times, with the truth: where pictures get data from."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from refine_core.errors import InputError
from weather.fields.arrays import Leads, Times
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.io.canonical import DIMS, LEAD, TRUTH_DIMS, canonical, grid_of
from weather.io.compatibility import check_dims, check_grid, check_units, in_order
from weather.io.files import open_files, read_errors
from weather.io.forecasts import as_forecast, chosen_channels
from weather.io.values import load_if_small, select_levels
from weather.plots.display import Display
from weather.plots.forecast_field import ForecastField


class ForecastRun:
    """An ensemble forecast from one initial time.

    Args:
        name: Name of the file, as its user calls it.
        forecast: Forecast in any layout that `weather.io.canonical` reads.
        truth: Likewise; None if it is not known.
        variables: Such as geopotential or geopotential_500; by default all that forecast and truth
            share.
        time: The initial time. By default the last one, or with a truth the last of those whose
            lead times it covers best.

    Raises:
        InputError: It is no ensemble forecast, lacks a variable or the time, or the truth is of
            other times, variables or units, or on another grid.
    """

    def __init__(
        self,
        name: str,
        forecast: xr.Dataset,
        truth: xr.Dataset | None = None,
        variables: Sequence[str] = (),
        time: str = "",
    ) -> None:
        self.name = name
        data = as_forecast(forecast, name)
        if data.sizes["number"] < 2:
            found = ", ".join(
                f"{dim} of {size}" for dim, size in canonical(forecast).sizes.items()
            )
            raise InputError(
                f"{name} has the dimensions {found}, expected an ensemble along number (or "
                "realization, ensemble, member): give a forecast of two or more members."
            )
        self.truth = None if truth is None else in_order("The truth", canonical(truth))
        other, label = (data, name) if self.truth is None else (self.truth, "the truth")
        if self.truth is not None:
            check_grid(name, data, grid_of(self.truth))
        self.channels = chosen_channels(data, other, name, label, variables)
        self.start = self._choose_start(data, time)
        self.forecast = data.sel(time=self.start, drop=True)

    @classmethod
    def open(
        cls, path: str, truth: str | None, variables: Sequence[str], time: str
    ) -> "ForecastRun":
        """The run in a file; see the class."""
        forecast = open_files(path)
        return cls(path, forecast, None if truth is None else open_files(truth), variables, time)

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
        truth = None
        if self.truth is not None:
            truth = select_levels(self.truth, [channel])
            check_dims("The truth", truth, TRUTH_DIMS)
            check_units(self.name, array, truth)
        if load:
            with read_errors(self.name):
                array = load_if_small(array)
        display = Display.of(channel, str(array.attrs.get("units", "")))
        return ForecastField(channel, display, self.name, self.start, array, truth)

    def _choose_start(self, data: xr.Dataset, time: str) -> np.datetime64:
        """The initial time that is asked for, or the default."""
        times: Times = data["time"].values
        if time:
            return _find_time(time, times, self.name)
        if self.truth is None:
            return np.datetime64(times[-1])
        covered = np.isin(times[:, None] + data[LEAD].values, self.truth["time"].values).sum(1)
        return np.datetime64(times[np.flatnonzero(covered == covered.max())[-1]])


def _find_time(text: str, times: Times, name: str) -> np.datetime64:
    try:
        wanted = np.datetime64(text, "ns")
    except ValueError:
        raise InputError(f"Found --time {text}, expected one such as 2003-11-01T00.") from None
    if wanted not in times:
        first, last = times[[0, -1]].astype("datetime64[h]")
        raise InputError(
            f"{name} has no initial time {text}, it has {len(times)} from {first} to {last}: "
            "choose one of them."
        )
    return wanted
