"""The verification of ensemble forecasts against the truth and against baselines."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import xarray as xr

from refine_core.app.processes.workers import Workers
from refine_core.app.progress import Progress
from refine_core.errors import InputError
from weather.fields.arguments import real_number, several, whole_number
from weather.fields.channel import Channel
from weather.fields.regions import REGIONS
from weather.fields.season import LEAST_STATES
from weather.fields.thresholds import chosen_thresholds
from weather.io.files import check_shared, open_given
from weather.io.forecasts import as_forecast, as_states, known_channels
from weather.verification import bootstrap
from weather.verification.baselines import NAMES, states_before
from weather.verification.measurement import Measurement
from weather.verification.perfect_model import PerfectModel
from weather.verification.report import (
    Labels,
    Limit,
    Starts,
    VerificationReport,
    diagnostic_tables,
    score_tables,
)
from weather.verification.selection import (
    Areas,
    Selection,
    check_history,
    mask_values,
    select_shared,
)

Data = str | Path | xr.Dataset
"""A data set, or the path or URL of one."""


def verify(
    forecast: Data,
    truth: Data,
    history: Data | None = None,
    *,
    variables: str | Sequence[str] = (),
    lead_days: float | Sequence[float] = (),
    regions: str | Sequence[str] = tuple(REGIONS),
    mask: xr.DataArray | None = None,
    thresholds: Mapping[str, float | Sequence[float]] | None = None,
    against: Mapping[str, Data] | None = None,
    limit: Data | None = None,
    seed: int = 0,
    name: str = "forecast",
    workers: Workers = 1,
    quiet: bool = True,
) -> VerificationReport:
    """Measure a forecast, baselines and other forecasts, all of the same starts and lead times.

    Datasets are lazy, in memory, or named by path or URL, with the names of WeatherBench 2 or the
    usual aliases. Where one variable, lead time, region or threshold is wanted, it may stand for
    itself. A forecast without members is an ensemble of one: its CRPS is its mean absolute error.
    A pair of start and lead time counts if the truth holds its valid time and every forecast has
    it.

    Args:
        forecast: (time, [number], prediction_timedelta, [level], latitude, longitude).
        truth: (time, [level], latitude, longitude).
        history: States for the baselines; those later than 15 days before the first start are not
            used. By default those of the truth.
        variables: Such as geopotential, geopotential_500 or z500; by default all that are shared.
        lead_days: Lead times in days; by default all but zero.
        regions: Names in `weather.fields.regions.REGIONS`, or your own, as
            name=south,north,west,east in degrees.
        mask: (latitude, longitude) share of each cell that counts, from 0 to 1, such as a land-sea
            mask. Where it is zero, numbers may be missing.
        thresholds: Values in SI units above which there is an event, by name of the variable or
            channel, such as t2m or z500. Precipitation has some by default.
        against: Other forecasts by name, compared with this one start by start.
        limit: An ensemble of the perfect model, from starts of its own; scores are given as
            multiples of its scores, too.
        seed: Seed of ties in ranks, of shuffled members and of the bootstrap.
        name: Name of the forecast in the report.
        workers: Processes that share the starts, as in `map_in_workers`; data sets in memory are
            copied to each. The report does not depend on it.
        quiet: Whether to show no progress.

    Returns:
        What metrics_all.json holds: numbers, texts, lists over lead times and dicts of them.

    Raises:
        InputError: Grids, variables, units, times or names do not fit, a value is missing, a file
            cannot be read, or a worker is lost.

    >>> import weather
    >>> from weather.samples import STATES
    >>> model = weather.load("gcm")
    >>> made = model.forecast(STATES, "2019-11-15", members=2, steps=1, workers=1)
    >>> report = weather.verify(made, STATES, variables="z500", regions="global")
    >>> sorted(report["scores"])
    ['forecast', 'persistence']
    >>> report["scores"]["persistence"]["geopotential_500"]["global"]["crps"]["value"]  # m² s⁻²
    [227.422]
    """
    others, seed = dict(against or {}), whole_number(seed, "the seed")
    if seed < 0:
        raise InputError(f"Found the seed {seed}, expected 0 or more.")
    _check_names(name, others)
    datasets, given = {name: forecast} | others, (truth, history, limit)
    check_shared(*(d for d in (*datasets.values(), *given) if isinstance(d, str | Path)))
    forecasts = {
        each: as_forecast(open_given(data, each), each) for each, data in datasets.items()
    }
    happened = _states(truth, "The truth")
    days = [real_number(each, "lead days") for each in several(lead_days)]
    selection = select_shared(forecasts, happened, several(variables), days)
    states = happened if history is None else _states(history, "The history")
    check_history(states, happened, selection)
    past = states_before(states, selection.inits[0])
    area = None if mask is None else mask_values(mask, selection.grid)
    areas = Areas(selection.grid, several(regions), area)
    channels = [c for group in selection.channels.values() for c in group]
    events = chosen_thresholds(channels, thresholds or {})
    measurement = Measurement(
        forecasts, happened, past, selection, areas, seed, events, workers=workers
    )
    perfect = None
    if limit is not None:
        ideal = open_given(limit, "the limit")
        perfect = PerfectModel(
            *(ideal, happened, states, measurement, areas, events, seed, workers)
        )
    steps = len(measurement) + (len(perfect.measurement) if perfect else 0)
    with Progress(f"verify {name}", steps, quiet=quiet) as bar:
        for done, _ in enumerate(chain(measurement, perfect.measurement if perfect else ()), 1):
            bar.update(done)
    offered = [] if variables else known_channels(forecasts[name])
    unknown = [channel for channel in offered if channel not in measurement.channels]
    notes = _notes(measurement, selection, unknown)
    if mask is not None:
        notes.insert(0, f"Cells count by their share in the mask {mask.name or 'given'}.")
    return _report(measurement, perfect, selection, happened, areas, seed, notes)


def _states(given: Data, name: str) -> xr.Dataset:
    """Canonical states of the truth or the history, in the order of time."""
    return as_states(open_given(given, name.lower()), name)


def _check_names(name: str, others: Mapping[str, Data]) -> None:
    if name in others:
        raise InputError(f"Found two forecasts named {name!r}: give the other another name.")
    taken = sorted({name, *others} & {*NAMES, "truth", "limit"})
    if taken:
        raise InputError(
            f"Found a forecast named {taken[0]!r}, as is what forecasts are compared with: give "
            "it, or its file, another name."
        )


def _report(
    measurement: Measurement,
    perfect: PerfectModel | None,
    selection: Selection,
    truth: xr.Dataset,
    areas: Areas,
    seed: int,
    notes: list[str],
) -> VerificationReport:
    records, channels = measurement.records, measurement.channels
    counts = bootstrap.counts_of(selection.inits, seed)
    sets = {each.name: measurement.rows[each.name] for each in measurement.sets}
    labels = Labels(list(measurement.rows), areas.names, len(channels))
    found = score_tables(
        records, measurement.twins, counts, labels, perfect.scores() if perfect else None
    )
    verified = selection.verified.sum(0)
    return {
        "members": {name: record.members for name, record in records.items()},
        "starts": _starts(selection),
        "pairs": {
            "verified": int(verified.sum()),
            "left_out": selection.offered - int(verified.sum()),
        },
        "lead_days": [float(lead / np.timedelta64(1, "D")) for lead in selection.leads],
        "channels": {
            channel.name: str(truth[channel.variable].attrs.get("units", ""))
            for channel in channels
        },
        "sets": sets,
        "regions": areas.names,
        "scores": found.scores,
        "differences": found.differences,
        "shuffled": found.shuffled,
        "limit": None
        if perfect is None
        else Limit(
            members=perfect.members,
            starts=_starts(perfect.selection),
            scores=perfect.table(labels),
            multiples=found.multiples,
        ),
        **diagnostic_tables(
            {"truth": measurement.truth} | records,
            counts,
            labels,
            verified[:, None] * (areas.weight > 0).sum((1, 2)),
        ),
        "notes": notes,
    }


def _starts(selection: Selection) -> Starts:
    inits = selection.inits
    first, last = (str(init) for init in inits[[0, -1]].astype("datetime64[h]"))
    block = bootstrap.block_length(inits)
    return {"count": len(inits), "first": first, "last": last, "block": block}


def _notes(
    measurement: Measurement, selection: Selection, unknown: Sequence[Channel]
) -> list[str]:
    """What readers must know about the numbers."""
    notes = _baseline_notes(measurement, selection)
    missing = selection.offered - selection.verified.sum()
    if missing:
        notes.insert(
            0,
            f"{missing} of {selection.offered} pairs of start and lead time are left out: their "
            "valid time is not in the truth, or another forecast lacks them.",
        )
    blocks = len(selection.inits) // bootstrap.block_length(selection.inits)
    if blocks < bootstrap.ENOUGH:
        few = blocks < bootstrap.LEAST
        need = bootstrap.LEAST if few else bootstrap.ENOUGH
        lack = "There are no intervals" if few else "Intervals are too narrow"
        notes.append(f"{lack}: they need {need} blocks of starts or more, found {blocks}.")
    single = [name for name, record in measurement.records.items() if record.members == 1]
    if single:
        notes.append(f"The CRPS of one member is its mean absolute error: {', '.join(single)}.")
    if unknown:
        names = ", ".join(channel.name for channel in unknown)
        notes.append(f"Left out, as they are not in the truth: {names}.")
    return notes


def _baseline_notes(measurement: Measurement, selection: Selection) -> list[str]:
    """Which baselines there are not, and why."""
    notes = []
    if not measurement.has_seasons:
        notes.append(
            "There are no climatological baselines, dressed persistence, Brier scores and anomaly "
            "correlations: the history, up to 15 days before the first start, has fewer than "
            f"{LEAST_STATES} states of the season and hour of some forecasts."
        )
    if not measurement.has_starts:
        notes.append("There is no persistence: the truth lacks some of the starts.")
    elif measurement.has_seasons and not measurement.has_pairs.all():
        lacking = selection.leads[~measurement.has_pairs]
        days = ", ".join(f"{each / np.timedelta64(1, 'D'):g}" for each in lacking)
        notes.append(
            f"There is no dressed persistence at {days} days: the history has fewer than "
            f"{LEAST_STATES} pairs of states that far apart, from the season and hour of a start."
        )
    return notes
