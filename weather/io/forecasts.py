"""Forecasts in canonical form: their channels and lead times, and a choice among them."""

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.errors import InputError, suggest
from weather.fields.arrays import Leads
from weather.fields.channel import Channel, usual_name
from weather.fields.labels import importance
from weather.io.canonical import LEAD, at_valid_times, canonical
from weather.io.compatibility import in_order

HALF_MINUTE = 30
"""Seconds by which days, rounded to a few digits, may miss a lead time."""


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
    if len(np.unique(dataset[LEAD].values)) < dataset.sizes[LEAD]:
        raise InputError(f"{name} has a lead time twice, expected each once: leave out copies.")
    timed = [v for v in dataset.data_vars if {"time", LEAD} <= set(dataset[v].dims)]
    dataset = in_order(name, dataset[timed]).sortby(LEAD)
    return dataset if "number" in dataset.dims else dataset.expand_dims("number")


def as_states(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Canonical states in the order of time; of forecasts with one lead time, at valid times.

    Raises:
        InputError: There are no times, or one is there twice.
    """
    dataset = at_valid_times(canonical(dataset))
    if "time" not in dataset.coords:
        raise InputError(f"{name} has no times, expected states along a dimension time.")
    return in_order(name, dataset if "time" in dataset.dims else dataset.expand_dims("time"))


def known_channels(dataset: xr.Dataset) -> list[Channel]:
    """The channels of all variables that change in time."""
    return [
        Channel(str(name), level)
        for name, array in dataset.data_vars.items()
        if "time" in array.dims
        for level in _levels(array)
    ]


def _levels(array: xr.DataArray) -> list[int | None]:
    """Pressure levels of a variable, or None in their place."""
    if "level" not in array.dims:
        return [None]
    given = array.attrs.get("levels")
    levels = [int(level) for level in array["level"].values]
    return [level for level in levels if given is None or level in given]


def chosen_channels(
    forecast: xr.Dataset, truth: xr.Dataset, name: str, other: str, wanted: Sequence[str]
) -> list[Channel]:
    """The channels wanted, in the order of reports; by default those that both data sets have.

    Raises:
        InputError: One of the data sets lacks a channel that is wanted, or they share none.
    """
    offered, known = known_channels(forecast), set(known_channels(truth))
    wanted = [usual_name(word) for word in wanted]
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
    return sorted((c for c in chosen if c in known), key=_report_order)


def _report_order(channel: Channel) -> tuple[int, str, int]:
    """Sorts channels as in reports, the best known variables first."""
    return importance(channel.variable), channel.variable, channel.level or 0


def _listed(channels: Iterable[Channel]) -> str:
    return ", ".join(sorted(c.name for c in channels)) or "none"


def chosen_leads(offered: Leads, days: Sequence[float] | NDArray[np.float64], name: str) -> Leads:
    """The lead times of `days`, ascending; without days, all that are above zero.

    Raises:
        InputError: One is not offered.
    """
    if len(days) == 0:
        later: Leads = offered[offered > np.timedelta64(0)]
        return later
    seconds = np.unique(np.round(np.asarray(days, np.float64) * 86400))
    known = offered / np.timedelta64(1, "s")
    missing = seconds[~(np.abs(seconds[:, None] - known).min(1) <= HALF_MINUTE)]  # such as NaN
    if len(missing):
        listed = ", ".join(f"{lead / 86400:g}" for lead in known)
        raise InputError(
            f"{name} has no lead time of {missing[0] / 86400:g} days, it has {listed}."
        )
    wanted: Leads = offered[np.unique(np.abs(seconds[:, None] - known).argmin(1))]
    return wanted
