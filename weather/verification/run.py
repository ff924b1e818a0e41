"""Verification of ensemble forecasts against the truth and against simple forecasts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from refine_core.app.progress import Progress
from refine_core.errors import InputError
from weather.fields.channel import Channel
from weather.fields.regions import REGIONS
from weather.io.canonical import canonical
from weather.io.compatibility import in_order
from weather.io.forecasts import as_forecast, known_channels
from weather.verification import bootstrap
from weather.verification.baselines import LEAST, NAMES, before
from weather.verification.measurement import Measurement
from weather.verification.plan import Plan, check_history, plan
from weather.verification.records import score_trees, tally_tree
from weather.verification.statistics import Areas

Report = dict[str, Any]


def verify(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    history: xr.Dataset | None = None,
    *,
    variables: Sequence[str] = (),
    lead_days: Sequence[float] = (),
    regions: Sequence[str] = tuple(REGIONS),
    against: Mapping[str, xr.Dataset] | None = None,
    seed: int = 0,
    name: str = "forecast",
    quiet: bool = True,
) -> Report:
    """Measure a forecast, baselines and other forecasts, all of the same starts and lead times.

    Datasets are lazy or in memory, with the names of WeatherBench 2 or the usual aliases. A
    forecast without members is an ensemble of one: its CRPS is its mean absolute error. A pair of
    start and lead time counts if the truth holds its valid time and every forecast has it.

    Args:
        forecast: (time, [number], prediction_timedelta, [level], latitude, longitude).
        truth: (time, [level], latitude, longitude).
        history: States for the baselines; those later than 15 days before the first start are not
            used. None takes the truth's.
        variables: Such as geopotential or geopotential_500; by default all that are shared.
        lead_days: Lead times in days; by default all but zero.
        regions: Names in `weather.fields.regions.REGIONS`.
        against: Other forecasts by name, compared with this one start by start.
        seed: Of ties in ranks and of the bootstrap.
        name: Of the forecast in the report.
        quiet: Whether to show no progress.

    Returns:
        Numbers, texts, lists over lead times and dicts of them, as in metrics.json: `scores` by
        forecast, channel, region and score; `differences` (this forecast less the other) by other
        forecast, kind, channel, region and score; `ranks`, `spectrum` and `reliability_*` by
        forecast, channel and region; what was verified; and `notes`.

    Raises:
        InputError: Grids, variables, units, times or names do not fit, or a value is missing.
    """
    if name in (against or {}):
        raise InputError(f"Found two forecasts named {name!r}: give the other another name.")
    given = {name: forecast} | dict(against or {})
    taken = sorted(given.keys() & {*NAMES, "truth"})
    if taken:
        raise InputError(
            f"Found a forecast named {taken[0]!r}, as is what forecasts are compared with: give "
            "it, or its file, another name."
        )
    named = {each: as_forecast(data, each) for each, data in given.items()}
    truth = in_order("The truth", canonical(truth))
    what = plan(named, truth, variables, lead_days)
    past = truth if history is None else in_order("The history", canonical(history))
    check_history(past, truth, what)
    areas = Areas(what.grid, regions)
    run = Measurement(named, truth, before(past, what.inits[0]), what, areas, seed)
    with Progress(f"verify {name}", len(run), quiet=quiet) as bar:
        for done, _ in enumerate(run, 1):
            bar.update(done)
    unknown = (
        [] if variables else [c for c in known_channels(named[name]) if c not in run.channels]
    )
    return _report(run, what, truth, regions, seed) | {"notes": _notes(run, what, unknown)}


def _report(
    run: Measurement, what: Plan, truth: xr.Dataset, regions: Sequence[str], seed: int
) -> Report:
    block = bootstrap.block_length(what.inits)
    number = bootstrap.RESAMPLES if len(what.inits) >= bootstrap.LEAST * block else 0
    counts = bootstrap.resamples(len(what.inits), block, seed, number)
    channels = [c.name for c in run.channels]
    scores, differences = score_trees(run.records, counts, channels, regions)
    verified = int(what.there.sum())
    hours = [str(each) for each in what.inits[[0, -1]].astype("datetime64[h]")]
    return {
        "members": {name: record.members for name, record in run.records.items()},
        "starts": {"count": len(what.inits), "first": hours[0], "last": hours[1], "block": block},
        "pairs": {"verified": verified, "left_out": what.offered - verified},
        "lead_days": [float(lead / np.timedelta64(1, "D")) for lead in what.leads],
        "channels": {
            channel.name: str(truth[channel.variable].attrs.get("units", ""))
            for channel in run.channels
        },
        "regions": list(regions),
        "scores": scores,
        "differences": differences,
        **tally_tree({"truth": run.truth} | run.records, channels, regions),
    }


def _notes(run: Measurement, what: Plan, unknown: Sequence[Channel]) -> list[str]:
    """What a reader must know of the numbers."""
    notes = []
    if what.offered > what.there.sum():
        notes.append(
            f"{what.offered - what.there.sum()} of {what.offered} pairs of start and lead time "
            "are left out: their valid time is not in the truth, or another forecast lacks them."
        )
    if not run.covered:
        notes.append(
            "There are no climatological baselines, dressed persistence, Brier scores and anomaly "
            "correlations: the history, up to 15 days before the first start, has fewer than "
            f"{LEAST} states of the season and hour of some forecasts."
        )
    if not run.persistence:
        notes.append("There is no persistence: the truth lacks some of the starts.")
    elif run.covered and not run.paired.all():
        days = ", ".join(f"{each / np.timedelta64(1, 'D'):g}" for each in what.leads[~run.paired])
        notes.append(
            f"There is no dressed persistence at {days} days: the history has fewer than {LEAST} "
            "pairs of states that far apart, from the season and hour of a start."
        )
    blocks = len(what.inits) // bootstrap.block_length(what.inits)
    if blocks < bootstrap.ENOUGH:
        few = blocks < bootstrap.LEAST
        need = bootstrap.LEAST if few else bootstrap.ENOUGH
        lack = "There are no intervals" if few else "Intervals are too narrow"
        notes.append(f"{lack}: they need {need} blocks of starts or more, found {blocks}.")
    single = [name for name, record in run.records.items() if record.members == 1]
    if single:
        notes.append(f"The CRPS of one member is its mean absolute error: {', '.join(single)}.")
    if unknown:
        names = ", ".join(channel.name for channel in unknown)
        notes.append(f"Left out, as they are not in the truth: {names}.")
    return notes
