"""Sources of states: files, folders and URLs in canonical form, read when they are asked for."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import dask.array
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.fields.arrays import Times
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.insolation import COMPUTED
from weather.fields.variables import VARIABLES
from weather.io.canonical import DIMS, at_valid_times, canonical, grid_of
from weather.io.files import local_files, open_files, read_errors

COMPUTED_CHUNK = 16
"""Times of which computed fields are computed at once."""


@dataclass(frozen=True, eq=False)
class Source:
    """States on a latitude-longitude grid.

    Args:
        path: Path or URL that they come from; names them in messages.
        dataset: Dataset in canonical form (see `weather.io.canonical`), with the dimensions time,
            level, latitude and longitude. Fields without time are static. With a dimension of
            members, only one of `members` can be read.
    """

    path: str
    dataset: xr.Dataset

    @classmethod
    def open(cls, path: str) -> "Source":
        """Open a source without reading its values.

        Args:
            path: A Zarr store (version 2 or 3), a netCDF or GRIB file, a folder or pattern of
                such files, or the URL of one.

        Raises:
            InputError: There is nothing to read, it is damaged, or a library is missing.
        """
        return cls.of(open_files(path), path)

    @classmethod
    def of(cls, dataset: xr.Dataset, name: str) -> "Source":
        """A source of a data set in any layout that `weather.io.canonical` reads.

        Args:
            dataset: The data set.
            name: Names it in messages.

        Raises:
            InputError: It is not on a latitude-longitude grid, or its times are none.
        """
        try:
            dataset = at_valid_times(canonical(dataset))
        except InputError as error:
            raise InputError(str(error) if name in str(error) else f"{name}: {error}") from None
        single = [name for name in ("number",) if dataset.sizes.get(name, 0) == 1]
        dataset = dataset.squeeze(single).drop_vars([c for c in dataset.coords if c not in DIMS])
        if "time" in dataset.coords and "time" not in dataset.dims:
            dataset = dataset.expand_dims("time")  # a single state
        return cls(name, dataset.drop_vars([c for c in dataset.coords if c not in dataset.dims]))

    @cached_property
    def members(self) -> tuple["Source", ...]:
        """A source for each member of an ensemble of states; else the source alone."""
        if "number" not in self.dataset.dims:
            return (self,)
        count = self.dataset.sizes["number"]
        return tuple(
            Source(self.path, self.dataset.isel(number=k, drop=True)) for k in range(count)
        )

    @cached_property
    def grid(self) -> Grid:
        """The grid of all maps."""
        return grid_of(self.dataset)

    @cached_property
    def times(self) -> Times:
        """(T,) times of the states; T is 0 without a dimension of times."""
        if "time" not in self.dataset.dims:
            return np.zeros(0, "datetime64[ns]")
        return np.asarray(self.dataset["time"].values)

    def completed(self, names: Sequence[str]) -> "Source":
        """The source with those of the named fields that it lacks and that can be computed.

        They follow from time and place (`weather.fields.insolation.COMPUTED`), and are computed
        where they are read.
        """
        missing = [name for name in names if name in COMPUTED and name not in self.dataset]
        times, shape = self.times, self.grid.shape
        fields = {}
        for name in missing if len(times) else ():
            blocks = dask.array.from_array(times, chunks=COMPUTED_CHUNK)  # type: ignore[no-untyped-call]
            values = blocks.map_blocks(
                partial(_computed, name, self.grid),
                dtype=np.float32,
                new_axis=[1, 2],
                chunks=(blocks.chunks[0], *((n,) for n in shape)),
                meta=np.zeros((0, 0, 0), np.float32),
            )
            about = {"units": VARIABLES[name].units, "comment": "computed from time and place"}
            fields[name] = (("time", "latitude", "longitude"), values, about)
        return replace(self, dataset=self.dataset.assign(fields))

    def has(self, channel: Channel) -> bool:
        """Whether there is a map of a channel at each time."""
        if channel.variable not in self.dataset:
            return False
        array = self.dataset[channel.variable]
        if channel.level is None:
            return set(array.dims) == {"time", "latitude", "longitude"}
        expected = {"time", "level", "latitude", "longitude"}
        return set(array.dims) == expected and channel.level in array["level"].values

    def maps(
        self, channels: Sequence[Channel], index: NDArray[np.int64] | slice = slice(None)
    ) -> xr.DataArray:
        """Maps (n, C, H, W) at some times, lazily.

        Raises:
            InputError: A variable or level is missing.
        """
        return _stacked(self.path, self.dataset.isel(time=index), channels)

    def read(self, channels: Sequence[Channel], index: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read maps (n, C, H, W) at the times of `index` (n,).

        Raises:
            InputError: One cannot be read; names variable and time.
        """
        try:
            return np.asarray(self.maps(channels, index).values, np.float32)
        except (InputError, MemoryError):
            raise
        except Exception:  # readers and codecs raise errors of their own; find the map at fault
            for channel in channels:
                self._raise_unreadable(channel, index)
            raise

    def read_static(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Read fields (S, H, W) without time; of a field that has times, the first.

        Raises:
            InputError: One is missing or cannot be read.
        """
        if not names:
            return np.zeros((0, *self.grid.shape), np.float32)
        first = self.dataset
        if "time" in first.dims:
            first = first.isel(time=0, drop=True)
        maps = _stacked(self.path, first, [Channel(name) for name in names])
        with read_errors(self.path):
            return np.asarray(maps.values, np.float32)

    def blocks(
        self, channels: Sequence[Channel], index: NDArray[np.int64], size: int
    ) -> Iterator[NDArray[np.int64]]:
        """Divide times into blocks to be read at once: whole chunks of about `size` bytes.

        Args:
            channels: Maps to be read.
            index: The times to divide, ascending.
            size: Bytes.
        """
        arrays = [self.dataset[channel.variable] for channel in channels]
        timed = [array for array in arrays if "time" in array.dims and array.chunks]
        chunk = max((max(array.chunksizes["time"]) for array in timed), default=1)
        nbytes = chunk * self.maps(channels, slice(1)).nbytes
        count = chunk * max(1, size // max(1, nbytes))
        yield from np.split(index, np.flatnonzero(np.diff(index // count)) + 1)

    def fingerprint(self) -> str:
        """Digest of the description, and of the sizes and times of the files.

        It changes when the source does; of a URL only the description counts.
        """
        digest = hashlib.sha256(self.path.encode())
        variables = sorted(self.dataset.variables.items(), key=lambda item: str(item[0]))
        for name, array in variables:
            about = (name, array.dims, array.shape, sorted(array.attrs.items()))
            digest.update(repr(about).encode())
            if name in self.dataset.dims:
                digest.update(array.values.tobytes())
        for file in local_files(self.path):
            state = file.stat()
            digest.update(repr((str(file), state.st_size, state.st_mtime_ns)).encode())
        return digest.hexdigest()

    def _raise_unreadable(self, channel: Channel, index: NDArray[np.int64]) -> None:
        """Raise InputError that names the first time of a channel that cannot be read, if any."""
        while True:
            half = index[: (len(index) + 1) // 2]
            for part in (half, index[len(half) :]) if len(index) > 1 else (index,):
                try:
                    self.maps([channel], part).load()
                except Exception:
                    break
            else:
                return
            if len(index) == 1:
                break
            index = part
        time = self.times[index[0]].astype("datetime64[m]")
        with read_errors(f"{self.path}: {channel.name} at {time}"):
            self.maps([channel], index).load()


def _computed(name: str, grid: Grid, times: Times) -> NDArray[np.float32]:
    return COMPUTED[name](times, grid).astype(np.float32)


def _stacked(path: str, dataset: xr.Dataset, channels: Sequence[Channel]) -> xr.DataArray:
    """Maps of channels ([time], channel, latitude, longitude), lazily."""
    arrays = []
    for channel in channels:
        array = dataset.get(channel.variable)
        if array is not None and channel.level is not None:
            known = "level" in array.dims and channel.level in array["level"].values
            array = array.sel(level=channel.level, drop=True) if known else None
        if array is None:
            raise InputError(f"{path} has no {channel.name}: `refine weather prepare` says more.")
        arrays.append(array)
    names = xr.Variable("channel", [channel.name for channel in channels])
    joined = xr.concat(arrays, names, coords="minimal", compat="override", combine_attrs="drop")
    order = ("time", "channel", "latitude", "longitude")
    return joined.transpose(*order, missing_dims="ignore")
