"""What is verified: the variables, starts and lead times that data share; regions of a grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.fields.arrays import Array, Leads, Times
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.regions import parse_region, region_weights
from weather.io.canonical import DIMS, LEAD, TRUTH_DIMS, canonical, grid_of
from weather.io.compatibility import check_dims, check_grid, check_units
from weather.io.files import read_errors
from weather.io.forecasts import chosen_channels, chosen_leads
from weather.metrics.balance import in_band
from weather.metrics.joint import Tiles
from weather.metrics.pooling import MapWindows

SIZES = (2, 4, 8)
"""Cells along either side of the windows that maps are pooled over."""


@dataclass(frozen=True, eq=False)
class Selection:
    """What is verified.

    Args:
        grid: The grid of all maps.
        channels: Channels by variable.
        inits: (I,) starts that every forecast has.
        leads: (T,) lead times that every forecast has.
        verified: (I, T) whether the truth holds the valid time.
        offered: Pairs of start and lead time in the first forecast, at these lead times.
    """

    grid: Grid
    channels: dict[str, list[Channel]]
    inits: Times
    leads: Leads
    verified: NDArray[np.bool_]
    offered: int


def select_shared(
    forecasts: Mapping[str, xr.Dataset],
    truth: xr.Dataset,
    variables: Sequence[str] = (),
    lead_days: Sequence[float] = (),
) -> Selection:
    """Find what all forecasts and the truth have in common.

    Args:
        forecasts: Results of `as_forecast` by name; the first is the one to verify.
        truth: Canonical.
        variables: Names such as geopotential or geopotential_500; by default all that the first
            forecast shares with the truth.
        lead_days: Lead times; by default all of the first forecast but zero.

    Raises:
        InputError: Grids, variables, units or times do not fit.
    """
    first, *others = forecasts
    grid = grid_of(truth)
    for name, forecast in forecasts.items():
        check_grid(name, forecast, grid)
    channels = chosen_channels(forecasts[first], truth, first, "the truth", variables)
    for name in others:
        chosen_channels(forecasts[name], forecasts[name], name, name, [c.name for c in channels])
    inits = forecasts[first]["time"].values
    leads = chosen_leads(forecasts[first][LEAD].values, lead_days, first)
    offered = len(inits) * len(leads)
    for name in others:
        inits = np.intersect1d(inits, forecasts[name]["time"].values)
        leads = chosen_leads(forecasts[name][LEAD].values, leads / np.timedelta64(1, "D"), name)
    verified = np.isin(inits[:, None] + leads, truth["time"].values)
    if not verified.any():
        raise InputError(_no_pair(forecasts, truth, inits))
    grouped: dict[str, list[Channel]] = {}
    for channel in channels:
        grouped.setdefault(channel.variable, []).append(channel)
    for variable in grouped:
        check_dims("The truth", truth[variable], TRUTH_DIMS)
        for name, forecast in forecasts.items():
            check_dims(name, forecast[variable], DIMS)
            check_units(name, forecast[variable], truth[variable])
    used = verified.any(1)
    return Selection(grid, grouped, inits[used], leads, verified[used], offered)


def check_history(history: xr.Dataset, truth: xr.Dataset, selection: Selection) -> None:
    """Check that states of the past fit the truth and what is verified.

    Raises:
        InputError: Grid or units differ, or a channel is missing.
    """
    check_grid("The history", history, selection.grid)
    names = [c.name for group in selection.channels.values() for c in group]
    chosen_channels(history, history, "The history", "the history", names)
    for variable in selection.channels:
        check_dims("The history", history[variable], TRUTH_DIMS)
        check_units("The history", history[variable], truth[variable])


def mask_values(mask: xr.DataArray, grid: Grid) -> Array:
    """Values (H, W) of a mask on the grid; of a mask that changes in time, the first.

    Raises:
        InputError: It is no map, is on another grid, or has another dimension.
    """
    if not isinstance(mask, xr.DataArray):
        raise InputError(
            f"Found a mask of type {type(mask).__name__}, expected an xarray.DataArray, such as "
            "data['land_sea_mask']."
        )
    dataset = canonical(mask.to_dataset(name=str(mask.name or "mask")))
    check_grid("The mask", dataset, grid)
    field = next(iter(dataset.values()))
    field = field.isel(time=0) if "time" in field.dims else field
    check_dims("The mask", field, ("latitude", "longitude"))
    with read_errors(f"The mask: {field.name}"):
        return np.asarray(field.values, np.float64)


class Areas:
    """Regions of a grid.

    Args:
        grid: The grid of the maps.
        regions: R of them, see `weather.fields.regions.parse_region`.
        mask: (H, W) share of each cell that counts, from 0 to 1; by default all of it.

    Raises:
        InputError: A region is unknown or holds no cell, or the mask is none.
    """

    def __init__(self, grid: Grid, regions: Sequence[str], mask: Array | None = None) -> None:
        if not regions:
            raise InputError("Found no regions: give one or more, such as global.")
        self._given = grid, tuple(regions), mask
        if mask is not None and np.isnan(mask).any():
            raise InputError(
                f"The mask has no value in {int(np.isnan(mask).sum())} of {mask.size} cells, "
                "expected one in each: fill them, with 0 where cells do not count "
                "(mask.fillna(0))."
            )
        if mask is not None and not ((mask >= -0.01) & (mask <= 1.01)).all():
            raise InputError(
                f"Found a mask of values from {np.min(mask):.4g} to {np.max(mask):.4g}, expected "
                "shares of 0 to 1 in every cell, such as a land-sea mask."
            )
        mask = None if mask is None else np.clip(mask, 0, 1).astype(np.float64)
        share = np.ones(grid.shape) if mask is None else mask
        self.grid = grid
        self.names = [parse_region(region).name for region in regions]
        self.weight = region_weights(grid, regions, mask)
        """(R, H, W), of sum 1."""
        whole = (share > 0).all(-1) & grid.is_global
        with np.errstate(invalid="ignore"):  # no circle is whole
            self.rows = _normalised(self.weight.sum(-1) * whole, -1)
        """(R, H) of the circles of latitude that count as a whole, of sum 1; NaN without any."""
        self.tiles = Tiles(grid, self.weight, mask)
        area = grid.area()[:, None] * share
        sizes = [size for size in SIZES if 2 * size <= min(grid.shape)]
        self.windows = {size: MapWindows(area, size, grid) for size in sizes}
        """By size."""
        self.window_weight = {
            size: windows.weight(self.weight) for size, windows in self.windows.items()
        }
        """(R, h, w) of each size, of sum 1."""
        with np.errstate(invalid="ignore"):  # a region outside of the band
            self.band = _normalised(self.weight * in_band(grid) * grid.is_global, (-1, -2))
        """(R, H, W) of the cells where balance is measured, of sum 1; NaN without any."""
        self._counted = self.weight.any(0)

    def __reduce__(self) -> tuple[object, ...]:
        """What it is made of travels to other processes, in place of maps of all regions."""
        return Areas, self._given

    def fill(self, maps: Array) -> Array:
        """Maps (..., H, W) with zeros for numbers missing where no region has a cell.

        They lie in memory as they are indexed, so that sums do not depend on a file's layout.
        """
        if not self._counted.all():
            maps = np.where(~self._counted & ~np.isfinite(maps), np.float32(0), maps)
        return np.ascontiguousarray(maps)


def _normalised(weight: Array, axes: int | tuple[int, int]) -> Array:
    """Weights of sum 1 along axes."""
    return np.asarray(weight / weight.sum(axes, keepdims=True))


def _no_pair(forecasts: Mapping[str, xr.Dataset], truth: xr.Dataset, inits: Times) -> str:
    """The sentence that says why there is nothing to verify."""
    if not len(inits):
        return f"No start is in all of {', '.join(forecasts)}: give forecasts of the same starts."
    times = truth["time"].values.astype("datetime64[h]")
    first, last = inits[[0, -1]].astype("datetime64[h]")
    return (
        f"No valid time of the starts {first} to {last} is in the truth, which goes from "
        f"{times[0]} to {times[-1]}: give the truth of that time."
    )
