"""Reads values of maps from data sets, as many at a time as fit in memory."""

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from weather.fields.arrays import Array, Leads
from weather.fields.channel import Channel
from weather.io.canonical import LEAD

BUDGET = 2**29
"""Bytes of an array that is read at once; a larger one is read piece by piece."""


def map_values(array: xr.DataArray) -> Array:
    """Values (..., L, H, W), float32, of an array (..., [level], latitude, longitude)."""
    values: Array = np.asarray(array.values, np.float32)
    return values if "level" in array.dims else np.expand_dims(values, -3)


def load_if_small(array: xr.DataArray) -> xr.DataArray:
    """The same array, loaded into memory if it is not too large."""
    return array.load() if array.nbytes <= BUDGET else array


def select_levels(dataset: xr.Dataset, channels: Sequence[Channel]) -> xr.DataArray:
    """One variable, at the levels of its channels."""
    array = dataset[channels[0].variable]
    if channels[0].level is None:
        return array
    return _chosen(array, "level", np.array([c.level for c in channels]))


def read_members(
    forecast: xr.DataArray, leads: Leads, budget: int | None = None
) -> Iterator[Array]:
    """Members (M, L, H, W) at one lead time after the other.

    Args:
        forecast: Forecast from one initial time, (prediction_timedelta, number, [level], latitude,
            longitude).
        leads: Lead times to read.
        budget: Bytes to read at once, unless one lead time has more; `BUDGET` if not given.
    """
    forecast = _chosen(forecast, LEAD, leads).transpose(LEAD, "number", ...)
    step = max(1, (BUDGET if budget is None else budget) * len(leads) // forecast.nbytes)
    for first in range(0, len(leads), step):
        yield from map_values(forecast.isel({LEAD: slice(first, first + step)}))


def _chosen(array: xr.DataArray, dim: str, labels: NDArray[np.generic]) -> xr.DataArray:
    """The array at some labels; the array itself if these are all."""
    return array if np.array_equal(array[dim].values, labels) else array.sel({dim: labels})


def quantum_of(states: xr.DataArray) -> float:
    """Of which values are multiples, as their attribute says; 0 if it says nothing of use."""
    found = states.attrs.get("quantum")
    if isinstance(found, int | float | np.number) and np.isfinite(found):
        return max(0.0, float(found))
    return 0.0
