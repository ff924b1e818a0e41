"""Data sets from files, folders and URLs, in one form.

Canonical: dimensions (time, number, prediction_timedelta, level, latitude, longitude) as far as
there are any, WeatherBench 2 names, float32 in SI units, latitude ascending, longitude ascending
in [0, 360), level in hPa ascending, times as datetime64[ns].
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.io.canonical import DIMS, LEAD, canonical
from weather.io.files import local_files, open_files, read_errors

__all__ = [
    "canonical",
    "fields",
    "fingerprint",
    "grid_of",
    "open_dataset",
    "static_maps",
    "times_of",
]


def open_dataset(path: str) -> xr.Dataset:
    """Open a source of states, lazily; values are read when they are asked for.

    Args:
        path: A Zarr store (version 2 or 3), a netCDF or GRIB file, a folder or pattern of such
            files, or the URL of one.

    Returns:
        Canonical, dimensions (time, level, latitude, longitude); fields without time are static.

    Raises:
        InputError: There is nothing to read, it is damaged, or a library is missing.
    """
    try:
        dataset = canonical(open_files(path))
    except InputError as error:
        raise InputError(str(error) if path in str(error) else f"{path}: {error}") from None
    single = {name: 0 for name in ("number", LEAD) if dataset.sizes.get(name, 0) == 1}
    dataset = dataset.isel(single).drop_vars([c for c in dataset.coords if c not in DIMS])
    if "time" in dataset.coords and "time" not in dataset.dims:
        dataset = dataset.expand_dims("time")  # a single state
    dataset = dataset.drop_vars([c for c in dataset.coords if c not in dataset.dims])
    dataset.encoding["source"] = path
    return dataset


def grid_of(dataset: xr.Dataset) -> Grid:
    """Grid of a canonical data set."""
    latitude, longitude = (
        np.asarray(dataset[name].values, np.float64) for name in ("latitude", "longitude")
    )
    return Grid(latitude, longitude)


def fields(dataset: xr.Dataset, channels: Sequence[Channel]) -> xr.DataArray:
    """Maps of channels (time, channel, latitude, longitude), or without time, lazily.

    Raises:
        InputError: A variable or level is missing.
    """
    arrays = []
    for channel in channels:
        array = dataset.get(channel.variable)
        if array is not None and channel.level is not None:
            known = "level" in array.dims and channel.level in array["level"].values
            array = array.sel(level=channel.level, drop=True) if known else None
        if array is None:
            source = dataset.encoding.get("source", "the data set")
            raise InputError(
                f"{source} has no {channel.name}: `refine weather prepare` says more."
            )
        arrays.append(array)
    names = xr.Variable("channel", [channel.name for channel in channels])
    options: Any = {"coords": "minimal", "compat": "override", "combine_attrs": "drop"}
    joined = xr.concat(arrays, names, **options)
    order = ("time", "channel", "latitude", "longitude")
    return joined.transpose(*order, missing_dims="ignore")


def times_of(dataset: xr.Dataset) -> NDArray[np.datetime64]:
    """(T,) times of a canonical data set."""
    return np.asarray(dataset["time"].values)


def static_maps(dataset: xr.Dataset, names: Sequence[str]) -> NDArray[np.float32]:
    """(S, H, W) fields without time; of those that have one, the first.

    Raises:
        InputError: One is missing.
    """
    if not names:
        return np.zeros((0, *grid_of(dataset).shape), np.float32)
    first = dataset.isel(time=0, drop=True) if "time" in dataset.dims else dataset
    maps = fields(first, [Channel(name) for name in names])
    with read_errors(dataset.encoding.get("source", "the source")):
        return np.asarray(maps.values)


def fingerprint(dataset: xr.Dataset, path: str) -> str:
    """Digest of what shows that a source has changed: its description, its files' sizes and times.

    Args:
        dataset: What `path` holds.
        path: Of the source; of a URL, only the description counts.
    """
    digest = hashlib.sha256(path.encode())
    for name, array in sorted(dataset.variables.items(), key=lambda item: str(item[0])):
        digest.update(repr((name, array.dims, array.shape, sorted(array.attrs.items()))).encode())
        if name in dataset.dims:
            digest.update(array.values.tobytes())
    for file in local_files(path):
        state = file.stat()
        digest.update(repr((str(file), state.st_size, state.st_mtime_ns)).encode())
    return digest.hexdigest()
