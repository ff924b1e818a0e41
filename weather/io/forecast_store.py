"""Forecasts on disk: one Zarr store, written member by member.

Until the last member is written, the store stands in `<name>.partial`, with a mark for each
member that is complete; then it is moved to its place. So a stop loses only the members under way,
an incomplete store never looks complete, and a run that was continued leaves the same bytes as one
that was not. Layout of WeatherBench 2: `time` is the initial time, `number` the member,
`prediction_timedelta` the lead.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import dask.array
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.variables import STANDARD_NAMES, VARIABLES
from weather.io.canonical import DIMS, LEAD
from weather.io.partial_store import PartialStore

MARKS = "members"


class ForecastStore:
    """An ensemble forecast that is being written; see `open`."""

    def __init__(self, path: Path, channels: Sequence[Channel], shape: tuple[int, int]) -> None:
        self.path = path
        self._partial = PartialStore(path, "forecast", "states, times, members, model or seed")
        self.partial = self._partial.store
        self.channels = channels
        self.shape = shape

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        grid: Grid,
        channels: Sequence[Channel],
        times: NDArray[np.datetime64],
        members: int,
        leads: Sequence[int],
        identity: Mapping[str, object],
        overwrite: bool = False,
    ) -> "ForecastStore":
        """Begin a store, or continue one.

        Args:
            path: Path of the store; ends in .zarr, or in .nc for one netCDF file in the end.
            grid: The grid of the maps.
            channels: C predicted maps.
            times: Initial times.
            members: Number of members of the ensemble.
            leads: Lead times, in hours.
            identity: What else the values depend on (the model, the seed); kept as attributes.
            overwrite: Whether another store there is replaced, once the new one is complete.

        Raises:
            InputError: There is a store already, or part of another forecast.
        """
        store = cls(path, channels, (len(times), members))
        if path.suffix not in (".zarr", ".nc"):
            raise InputError(f"Found {path}, expected a forecast's name to end in .zarr or .nc.")
        names = [channel.name for channel in channels]
        wanted = [identity, [str(t) for t in times], members, list(leads), names]
        if not store._partial.continues(wanted, overwrite=overwrite):
            dataset = _template(grid, channels, times, members, leads, identity)
            store._partial.begin(dataset, wanted)
        return store

    def pending(self) -> list[tuple[int, int]]:
        """Initial time and member of each member that is not written yet."""
        times, members = self.shape
        return [
            (time, member)
            for time in range(times)
            for member in range(members)
            if not self._mark(time, member).exists()
        ]

    def write(self, time: int, members: Sequence[int], states: NDArray[np.float32]) -> None:
        """Write members of an initial time.

        Args:
            time: Place of the initial time.
            members: Names of m members.
            states: (m, leads, C, H, W) in SI units.
        """
        group = zarr.open_group(str(self.partial), mode="r+", use_consolidated=False)
        for row, member in enumerate(members):
            for name, places in _variables(self.channels).items():
                values = states[row][:, places]
                one = self.channels[places[0]].level is None
                array = group[name]
                assert isinstance(array, zarr.Array)
                array[time, member] = values[:, 0] if one else values
            with atomic_write(self._mark(time, member)) as mark:
                mark.touch()

    def finish(self) -> None:
        """Move the complete store to its place."""
        if self.path.suffix == ".nc":
            with atomic_write(self.path) as temporary, xr.open_zarr(self.partial) as dataset:
                dataset.to_netcdf(temporary, engine="netcdf4")  # one chunk at a time
            shutil.rmtree(self._partial.folder)
        else:
            self._partial.finish()

    def _mark(self, time: int, member: int) -> Path:
        return self._partial.folder / MARKS / f"{time}.{member}"


def _variables(channels: Sequence[Channel]) -> dict[str, list[int]]:
    """Places in C of each variable's maps."""
    places: dict[str, list[int]] = {}
    for place, channel in enumerate(channels):
        places.setdefault(channel.variable, []).append(place)
    return places


def _template(
    grid: Grid,
    channels: Sequence[Channel],
    times: NDArray[np.datetime64],
    members: int,
    leads: Sequence[int],
    identity: Mapping[str, object],
) -> xr.Dataset:
    """The data set without values of variables."""
    lead = np.array(leads, "timedelta64[h]").astype("timedelta64[ns]")
    start = np.asarray(times).astype("datetime64[ns]")
    levels = list(dict.fromkeys(c.level for c in channels if c.level is not None))
    coords: dict[str, tuple[str | tuple[str, str], NDArray[np.generic], dict[str, str]]] = {
        "time": ("time", start, {"standard_name": "forecast_reference_time"}),
        "number": ("number", np.arange(members), {"standard_name": "realization", "units": "1"}),
        LEAD: (LEAD, lead, {"standard_name": "forecast_period"}),
        "latitude": ("latitude", grid.latitude, {"units": "degrees_north"}),
        "longitude": ("longitude", grid.longitude, {"units": "degrees_east"}),
        "valid_time": (("time", LEAD), start[:, None] + lead, {"standard_name": "time"}),
    }
    if levels:
        coords["level"] = ("level", np.array(levels), {"units": "hPa", "positive": "down"})
    sizes = {name: len(value[1]) for name, value in coords.items() if name != "valid_time"}
    variables = {}
    for name, places in _variables(channels).items():
        dims = [d for d in DIMS if d != "level" or channels[places[0]].level is not None]
        known = VARIABLES.get(name)
        attrs = {"long_name": name.replace("_", " ")}
        attrs |= {"units": known.units} if known else {}
        attrs |= {"standard_name": STANDARD_NAMES[name]} if name in STANDARD_NAMES else {}
        shape = tuple(sizes[d] for d in dims)
        empty = dask.array.full(  # type: ignore[no-untyped-call]
            shape, np.nan, chunks=(1, 1, *shape[2:]), dtype=np.float32
        )
        variables[name] = (dims, empty, attrs)
    about = {"Conventions": "CF-1.11", "source": "refine", **identity}
    return xr.Dataset(variables, coords, about)
