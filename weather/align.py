"""Bringing forecasts and truth together: the same variables, grid, starts and lead times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.errors import InputError, suggest
from weather.canonical import canonical
from weather.fields import LEAD
from weather.grid import Channel, Grid
from weather.labels import importance
from weather.mismatch import check_grid, check_units, in_order
from weather.source import grid_of


@dataclass(frozen=True, eq=False)
class Plan:
    """What is verified.

    Args:
        grid: Of all fields.
        channels: By variable.
        inits: (I,) starts that every forecast has.
        leads: (T,) lead times.
        there: (I, T) whether the truth holds the valid time.
        offered: Pairs of start and lead time in the first forecast, at these lead times.
    """

    grid: Grid
    channels: dict[str, list[Channel]]
    inits: NDArray[np.datetime64]
    leads: NDArray[np.timedelta64]
    there: NDArray[np.bool_]
    offered: int


def as_forecast(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Canonical forecast with all of time, number and prediction_timedelta as dimensions.

    Raises:
        InputError: There is no start, or no lead time.
    """
    dataset = canonical(dataset)
    for dim, aliases in (("time", "init_time"), (LEAD, "lead_time, step")):
        if dim not in dataset.dims and dim in dataset.coords:
            dataset = dataset.expand_dims(dim)
        if dim not in dataset.dims:
            found = ", ".join(map(str, dataset.dims))
            raise InputError(
                f"{name} has the dimensions {found}: expected a forecast with {dim} "
                f"(or {aliases}); a single state is not a forecast."
            )
    if not np.issubdtype(dataset[LEAD].dtype, np.timedelta64):
        raise InputError(
            f"{name} has lead times {LEAD} of type {dataset[LEAD].dtype}: expected a time "
            "difference; give the coordinate the attribute units, such as 'hours'."
        )
    kept = [v for v in dataset.data_vars if {"time", LEAD} <= set(dataset[v].dims)]
    dataset = in_order(name, dataset[kept]).sortby(LEAD)
    return dataset if "number" in dataset.dims else dataset.expand_dims("number")


def plan(
    forecasts: Mapping[str, xr.Dataset],
    truth: xr.Dataset,
    variables: Sequence[str] = (),
    lead_days: Sequence[float] = (),
) -> Plan:
    """Find what all forecasts and the truth have in common.

    Args:
        forecasts: By name, of `as_forecast`; the first is the one to verify.
        truth: Canonical.
        variables: Names such as geopotential or geopotential_500; none stands for all that the
            first forecast shares with the truth.
        lead_days: None stands for all of the first forecast that are not zero.

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
    there = np.isin(inits[:, None] + leads, truth["time"].values)
    if not there.any():
        raise InputError(_nothing(forecasts, truth, inits))
    grouped: dict[str, list[Channel]] = {}
    for channel in channels:
        grouped.setdefault(channel.variable, []).append(channel)
    for name, forecast in forecasts.items():
        for variable in grouped:
            check_units(name, forecast[variable], truth[variable])
    used = there.any(1)
    return Plan(grid, grouped, inits[used], leads, there[used], offered)


def check_history(history: xr.Dataset, truth: xr.Dataset, plan: Plan) -> None:
    """Check that states of the past fit the truth and a plan.

    Raises:
        InputError: Grid or units differ, or a channel is missing.
    """
    check_grid("The history", history, plan.grid)
    names = [c.name for group in plan.channels.values() for c in group]
    chosen_channels(history, history, "The history", "the history", names)
    for variable in plan.channels:
        check_units("The history", history[variable], truth[variable])


def known_channels(dataset: xr.Dataset) -> list[Channel]:
    """Every map that changes in time."""
    return [
        Channel(str(name), level)
        for name, array in dataset.data_vars.items()
        if "time" in array.dims
        for level in (map(int, array["level"].values) if "level" in array.dims else [None])
    ]


def chosen_channels(
    forecast: xr.Dataset, truth: xr.Dataset, name: str, other: str, wanted: Sequence[str]
) -> list[Channel]:
    """Channels wanted, all of which both have."""
    offered, known = known_channels(forecast), set(known_channels(truth))
    chosen = [c for c in offered if not wanted or {c.name, c.variable} & set(wanted)]
    names = {n for c in offered for n in (c.name, c.variable)}
    for word in wanted:
        if word not in names:
            raise InputError(
                f"{name} has no variable {word!r}, it has {_listed(offered)}."
                f"{suggest(word, names)}"
            )
    missing = [c for c in chosen if c not in known]
    if wanted and missing:
        raise InputError(
            f"{other} has no {missing[0].name}, which is to be verified: it has {_listed(known)}."
        )
    if not set(chosen) & known:
        raise InputError(
            f"{name} and {other} have no variable in common: {name} has {_listed(offered)}, "
            f"{other} has {_listed(known)}."
        )
    return sorted((c for c in chosen if c in known), key=_place)


def _place(channel: Channel) -> tuple[int, str, int]:
    """Key of the order in reports: the best known variables first."""
    return importance(channel.variable), channel.variable, channel.level or 0


def _listed(channels: Any) -> str:
    return ", ".join(sorted(c.name for c in channels)) or "none"


def chosen_leads(
    offered: NDArray[np.timedelta64], days: Any, name: str
) -> NDArray[np.timedelta64]:
    """Lead times wanted, ascending."""
    if len(days) == 0:
        later: NDArray[np.timedelta64] = offered[offered > np.timedelta64(0)]
        return later
    hours = np.unique(np.round(np.asarray(days, np.float64) * 24))
    missing = hours[~np.isin(hours, offered / np.timedelta64(1, "h"))]  # such as NaN
    if len(missing):
        known = ", ".join(f"{lead / np.timedelta64(1, 'D'):g}" for lead in offered)
        raise InputError(f"{name} has no lead time of {missing[0] / 24:g} days, it has {known}.")
    wanted: NDArray[np.timedelta64] = hours.astype(np.int64) * np.timedelta64(3600 * 10**9, "ns")
    return wanted


def _nothing(forecasts: Mapping[str, xr.Dataset], truth: xr.Dataset, inits: Any) -> str:
    if not len(inits):
        return f"No start is in all of {', '.join(forecasts)}: give forecasts of the same starts."
    times = truth["time"].values.astype("datetime64[h]")
    first, last = inits[[0, -1]].astype("datetime64[h]")
    return (
        f"No valid time of the starts {first} to {last} is in the truth, which goes from "
        f"{times[0]} to {times[-1]}: give the truth of that time."
    )
