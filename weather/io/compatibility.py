"""Checks that data sets fit together: grids, times, units, sizes of values."""

from collections.abc import Collection, Sequence

import numpy as np
import xarray as xr

from refine_core.errors import InputError
from weather.fields.arrays import Array, Times
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.io.canonical import grid_of

FAR = 5.0
"""Largest difference of the means of forecast and truth, in standard deviations of the truth."""


def check_grid(name: str, dataset: xr.Dataset, wanted: Grid, other: str = "the truth") -> None:
    """Check that a dataset is on a grid, which is that of `other`.

    Raises:
        InputError: It is not.
    """
    grid = grid_of(dataset)
    if grid == wanted:
        return
    found, expected = (
        f"{g.shape[0]} x {g.shape[1]} points from {g.latitude[0]:g}N {g.longitude[0]:g}E"
        for g in (grid, wanted)
    )
    if found == expected:
        axis = "longitude" if np.allclose(grid.latitude, wanted.latitude) else "latitude"
        ours, theirs = (getattr(g, axis) for g in (grid, wanted))
        place = int(np.abs(ours - theirs).argmax())
        found, expected = (f"{axis} {x[place]:.6g} as its {place + 1}th" for x in (ours, theirs))
    raise InputError(
        f"{name} has a grid of {found}, {other} one of {expected}: regrid one of them "
        "(`refine weather regrid`)."
    )


def in_order(name: str, dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with ascending times.

    Raises:
        InputError: A time is there twice.
    """
    times, count = np.unique(dataset["time"].values, return_counts=True)
    if (count > 1).any():
        twice = times[count > 1][0].astype("datetime64[m]")
        raise InputError(f"{name} has the time {twice} twice: keep one of them.")
    return dataset if np.array_equal(times, dataset["time"].values) else dataset.sortby("time")


def check_dims(name: str, array: xr.DataArray, expected: Collection[str]) -> None:
    """Check that a variable has no dimension besides those expected.

    Raises:
        InputError: It has one.
    """
    unknown = [str(dim) for dim in array.dims if dim not in expected]
    if unknown:
        raise InputError(
            f"{name} has {array.name} along {unknown[0]!r}, of size {array.sizes[unknown[0]]}, "
            f"expected no dimension but {', '.join(expected)}: rename it, or select one of it."
        )


def check_units(
    name: str, forecast: xr.DataArray, other: xr.DataArray, what: str = "the truth"
) -> None:
    """Check that the units of a forecast and of what it is compared with are the same, if given.

    Raises:
        InputError: They are not.
    """
    found, expected = (str(array.attrs.get("units", "")) for array in (forecast, other))
    plain = [unit.replace("**", "").replace("^", "") for unit in (found, expected)]
    if found and expected and plain[0] != plain[1]:
        raise InputError(
            f"{name} has {forecast.name} in {found!r}, {what} in {expected!r}: convert one."
        )


def check_finite(
    name: str,
    values: Array,
    channels: Sequence[Channel],
    when: Times | np.datetime64,
    remedy: str = "complete it, or leave out the variable",
) -> None:
    """Check that no value of maps (n, L, H, W), of one time or of (n,) times, is missing.

    Raises:
        InputError: One is.
    """
    if not np.isfinite(values).all():
        which, level = np.argwhere(~np.isfinite(values))[0][:2]
        time = np.broadcast_to(when, len(values))[which].astype("datetime64[h]")
        raise InputError(
            f"{name} has no number (NaN or infinite) in {channels[level].name} at {time}, "
            f"map {which + 1} of {len(values)}: {remedy}."
        )


def check_size(name: str, members: Array, truth: Array, channels: Sequence[Channel]) -> None:
    """Check that members (M, L, H, W) and truth (L, H, W) are of the same order.

    Raises:
        InputError: They are far apart, as they are where units differ that nothing declares.
    """
    for level, channel in enumerate(channels):
        found, expected = (float(v[..., level, :, :].mean()) for v in (members, truth))
        spread = float(truth[level].std())  # 0 where it rains nowhere, which says nothing
        if spread and abs(found - expected) > FAR * spread:
            raise InputError(
                f"{name} has a mean of {found:.4g} in {channel.name}, the truth of "
                f"{expected:.4g}: the units seem to differ; convert one."
            )
