"""The verification of ensemble forecasts against the truth and against baselines."""

from collections.abc import Mapping, Sequence

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
from weather.verification.baselines import LEAST_STATES, NAMES, states_before
from weather.verification.measurement import Measurement
from weather.verification.report import (
    Labels,
    VerificationReport,
    diagnostic_tables,
    score_tables,
)
from weather.verification.selection import Selection, check_history, select_shared
from weather.verification.statistics import Areas


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
) -> VerificationReport:
    """Measure a forecast, baselines and other forecasts, all of the same starts and lead times.

    Datasets are lazy or in memory, with the names of WeatherBench 2 or the usual aliases. A
    forecast without members is an ensemble of one: its CRPS is its mean absolute error. A pair of
    start and lead time counts if the truth holds its valid time and every forecast has it.

    Args:
        forecast: (time, [number], prediction_timedelta, [level], latitude, longitude).
        truth: (time, [level], latitude, longitude).
        history: States for the baselines; those later than 15 days before the first start are not
            used. By default those of the truth.
        variables: Such as geopotential or geopotential_500; by default all that are shared.
        lead_days: Lead times in days; by default all but zero.
        regions: Names in `weather.fields.regions.REGIONS`.
        against: Other forecasts by name, compared with this one start by start.
        seed: Seed of ties in ranks and of the bootstrap.
        name: Name of the forecast in the report.
        quiet: Whether to show no progress.

    Returns:
        What metrics.json holds: numbers, texts, lists over lead times and dicts of them.

    Raises:
        InputError: Grids, variables, units, times or names do not fit, or a value is missing.
    """
    others = dict(against or {})
    _check_names(name, others)
    datasets = {name: forecast} | others
    forecasts = {each: as_forecast(data, each) for each, data in datasets.items()}
    truth = in_order("The truth", canonical(truth))
    selection = select_shared(forecasts, truth, variables, lead_days)
    past = truth if history is None else in_order("The history", canonical(history))
    check_history(past, truth, selection)
    past = states_before(past, selection.inits[0])
    areas = Areas(selection.grid, regions)
    measurement = Measurement(forecasts, truth, past, selection, areas, seed)
    with Progress(f"verify {name}", len(measurement), quiet=quiet) as bar:
        for done, _ in enumerate(measurement, 1):
            bar.update(done)
    offered = [] if variables else known_channels(forecasts[name])
    unknown = [channel for channel in offered if channel not in measurement.channels]
    notes = _notes(measurement, selection, unknown)
    return _report(measurement, selection, truth, regions, seed, notes)


def _check_names(name: str, others: Mapping[str, xr.Dataset]) -> None:
    if name in others:
        raise InputError(f"Found two forecasts named {name!r}: give the other another name.")
    taken = sorted({name, *others} & {*NAMES, "truth"})
    if taken:
        raise InputError(
            f"Found a forecast named {taken[0]!r}, as is what forecasts are compared with: give "
            "it, or its file, another name."
        )


def _report(
    measurement: Measurement,
    selection: Selection,
    truth: xr.Dataset,
    regions: Sequence[str],
    seed: int,
    notes: list[str],
) -> VerificationReport:
    inits, records = selection.inits, measurement.records
    block = bootstrap.block_length(inits)
    number = bootstrap.RESAMPLES if len(inits) >= bootstrap.LEAST * block else 0
    counts = bootstrap.resamples(len(inits), block, seed, number)
    labels = Labels([c.name for c in measurement.channels], regions)
    scores, differences = score_tables(records, counts, labels)
    verified = int(selection.verified.sum())
    first, last = (str(init) for init in inits[[0, -1]].astype("datetime64[h]"))
    return {
        "members": {name: record.members for name, record in records.items()},
        "starts": {"count": len(inits), "first": first, "last": last, "block": block},
        "pairs": {"verified": verified, "left_out": selection.offered - verified},
        "lead_days": [float(lead / np.timedelta64(1, "D")) for lead in selection.leads],
        "channels": {
            channel.name: str(truth[channel.variable].attrs.get("units", ""))
            for channel in measurement.channels
        },
        "regions": list(regions),
        "scores": scores,
        "differences": differences,
        **diagnostic_tables({"truth": measurement.truth} | records, labels),
        "notes": notes,
    }


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
