"""The layout of a forecast, that of WeatherBench 2 or X, with the attributes of CF.

`time` is the initial time, `number` the member, `prediction_timedelta` the lead; `valid_time`
follows from them. WeatherBench-X has `init_time` and `lead_time` in place of the first and last.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import dask.array
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core import __version__
from refine_core.errors import InputError
from weather.fields.arrays import Leads, Times
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.variables import STANDARD_NAMES, VARIABLES
from weather.io.canonical import DIMS, LEAD, canonical_name

_ATTRS = {
    "time": {"standard_name": "forecast_reference_time", "axis": "T"},
    "number": {"standard_name": "realization", "units": "1", "axis": "E"},
    LEAD: {"standard_name": "forecast_period"},
    "latitude": {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"},
    "longitude": {"standard_name": "longitude", "units": "degrees_east", "axis": "X"},
    "level": {
        "standard_name": "air_pressure",
        "units": "hPa",
        "positive": "down",
        "axis": "Z",
    },
}


Layout = Literal["weatherbench2", "weatherbench-x"]
"""Whose names of dimensions a forecast has."""
NAMES: Mapping[Layout, Mapping[str, str]] = {
    "weatherbench2": {},
    "weatherbench-x": {"time": "init_time", LEAD: "lead_time"},
}
"""Names of dimensions that are others than those of WeatherBench 2."""


@dataclass(frozen=True, eq=False)
class ForecastLayout:
    """Where the values of a forecast stand.

    Args:
        grid: The grid of the maps.
        channels: C predicted maps.
        times: Initial times.
        members: Names of the members.
        leads: Lead times, in hours.
        kind: Whose names the dimensions have.
    """

    grid: Grid
    channels: Sequence[Channel]
    times: Times
    members: Sequence[int]
    leads: Sequence[int]
    kind: Layout = "weatherbench2"

    @property
    def places(self) -> dict[str, list[int]]:
        """Places in C of each variable's maps."""
        found: dict[str, list[int]] = {}
        for place, channel in enumerate(self.channels):
            found.setdefault(channel.variable, []).append(place)
        return found

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each dimension."""
        levels = {c.level for c in self.channels if c.level is not None}
        shape = (len(self.times), len(self.members), len(self.leads), len(levels))
        return dict(zip(DIMS, (*shape, *self.grid.shape), strict=True))

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        times, members, leads, _, *grid = self.sizes.values()
        return 4 * times * members * leads * len(self.channels) * math.prod(grid)

    def by_variable(self, states: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """(..., [level], H, W) of each variable, of states (..., C, H, W)."""
        return {
            name: states[..., places, :, :]
            if self.channels[places[0]].level is not None
            else states[..., places[0], :, :]
            for name, places in self.places.items()
        }

    def dims(self, variable: str) -> list[str]:
        """Dimensions of a variable."""
        upper = self.channels[self.places[variable][0]].level is not None
        return [dim for dim in DIMS if upper or dim != "level"]

    def empty(self, about: Mapping[str, object]) -> xr.Dataset:
        """The data set with attributes, whose variables are lazy and hold no number."""
        variables = {}
        for name in self.places:
            dims = self.dims(name)
            shape = [self.sizes[dim] for dim in dims]
            values = dask.array.full(  # type: ignore[no-untyped-call]
                shape, np.nan, chunks=shape, dtype=np.float32
            )
            variables[name] = (dims, values, _attributes(name))
        about = {"Conventions": "CF-1.11", "source": f"refine {__version__}", **about}
        return xr.Dataset(variables, self._coordinates(), about).rename(NAMES[self.kind])

    def _coordinates(self) -> dict[str, xr.Variable]:
        start = np.asarray(self.times).astype("datetime64[ns]")
        lead: Leads = np.array(self.leads, "timedelta64[h]").astype("timedelta64[ns]")
        levels = dict.fromkeys(c.level for c in self.channels if c.level is not None)
        values: dict[str, NDArray[np.generic]] = {
            "time": start,
            "number": np.array(self.members, np.int64),
            LEAD: lead,
            "latitude": self.grid.latitude,
            "longitude": self.grid.longitude,
        }
        if levels:
            values["level"] = np.array(list(levels), np.int64)
        found = {name: xr.Variable(name, each, _ATTRS[name]) for name, each in values.items()}
        valid = xr.Variable(("time", LEAD), start[:, None] + lead, {"standard_name": "time"})
        found["valid_time"] = valid
        for name in ("latitude", "longitude"):
            found[name].encoding["_FillValue"] = None  # xarray's default is NaN
        for name in ("time", "valid_time"):
            found[name].encoding |= {"units": "hours since 1970-01-01", "dtype": "int64"}
        found[LEAD].encoding |= {"units": "hours", "dtype": "int64"}
        return found


def parse_chunks(words: Sequence[str]) -> dict[str, int]:
    """Lengths of chunks along dimensions, of words such as number=10 or lead=all.

    >>> parse_chunks(["lead=1", "latitude=8"])
    {'prediction_timedelta': 1, 'latitude': 8}

    Raises:
        InputError: A word has another form, or names no dimension of a forecast.
    """
    found: dict[str, int] = {}
    for word in words:
        name, _, length = word.partition("=")
        dim = canonical_name(name)
        if dim not in DIMS or not (length == "all" or (length.isdecimal() and int(length))):
            raise InputError(
                f"Found --chunks {word}, expected one of {', '.join(DIMS)}, an equals sign, and a "
                "whole number above 0 or all: such as number=all."
            )
        found[dim] = sys.maxsize if length == "all" else int(length)
    return found


def _attributes(variable: str) -> dict[str, str]:
    known, attrs = VARIABLES.get(variable), {"long_name": variable.replace("_", " ")}
    attrs |= {"units": known.units} if known else {}
    return attrs | (
        {"standard_name": STANDARD_NAMES[variable]} if variable in STANDARD_NAMES else {}
    )
