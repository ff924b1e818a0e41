"""The report of a verification: its type, as in metrics.json, and how it is made of records."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypedDict, TypeVar

import numpy as np

from weather.fields.arrays import Array
from weather.verification import bootstrap
from weather.verification.forecast_record import ForecastRecord, Real
from weather.verification.statistics import LOWER_IS_BETTER

T = TypeVar("T")
Curve = list[float | None]
"""Numbers over lead times, ranks, wavenumbers or bins; None where they are not defined."""


class Estimate(TypedDict):
    """A score over lead times, with its 95 % interval if there are enough starts for one."""

    value: Curve
    low: Curve | None
    high: Curve | None


ScoreTable = dict[str, dict[str, dict[str, Estimate]]]
"""Estimates by channel, region and score."""
CurveTable = dict[str, dict[str, dict[str, list[Curve]]]]
"""Curves of all lead times, by forecast, channel and region."""
ReliabilityTable = dict[str, dict[str, dict[str, list[list[Curve]]]]]
"""For each lead time, by forecast, channel and region, the three curves that
`weather.metrics.calibration.reliability` sums."""


class Comparison(TypedDict):
    """The scores of the first forecast minus another's, and 1 minus their ratio (skill)."""

    difference: ScoreTable
    skill: ScoreTable


class Starts(TypedDict):
    """Initial times; `block` is the number of starts in a block of the bootstrap."""

    count: int
    first: str
    last: str
    block: int


class Pairs(TypedDict):
    """Numbers of pairs of start and lead time."""

    verified: int
    left_out: int


Diagnostics = TypedDict(
    "Diagnostics",
    {
        "spectrum": CurveTable,
        "ranks": CurveTable,
        "reliability_0.1": ReliabilityTable,
        "reliability_0.9": ReliabilityTable,
    },
    total=False,
)
"""Power spectra of forecasts and truth; rank histograms of ensembles; and, if there is a
climatology, reliability of events above two of its quantiles."""


class VerificationReport(Diagnostics):
    """What was measured: `members`, `scores` and `differences` by forecast, `channels` with units.

    The first forecast is the one verified; baselines come last.
    """

    members: dict[str, int]
    starts: Starts
    pairs: Pairs
    lead_days: list[float]
    channels: dict[str, str]
    regions: list[str]
    scores: dict[str, ScoreTable]
    differences: dict[str, Comparison]
    notes: list[str]


class Labels(NamedTuple):
    """Names of channels (C,) and regions (R,)."""

    channels: Sequence[str]
    regions: Sequence[str]


def score_tables(
    records: Mapping[str, ForecastRecord], counts: Real, labels: Labels
) -> tuple[dict[str, ScoreTable], dict[str, Comparison]]:
    """Scores of all forecasts, and comparisons of the first with each other, by name.

    Args:
        records: Records by name, the forecast to verify first.
        counts: (B, I) of `bootstrap.resamples`.
        labels: Names of channels and regions.
    """
    results = {name: record.scores(counts) for name, record in records.items()}
    first, *others = results
    comparisons = {}
    for name in others:
        ours, theirs = results[first], results[name]
        shared = [n for n in theirs if n in LOWER_IS_BETTER or n.startswith("brier")]
        difference = {n: ours[n] - theirs[n] for n in shared}
        positive = {n: np.where(theirs[n] > 0, theirs[n], np.nan) for n in shared}
        skill = {n: 1 - ours[n] / positive[n] for n in shared}
        comparisons[name] = Comparison(
            difference=_score_table(difference, labels), skill=_score_table(skill, labels)
        )
    return {name: _score_table(table, labels) for name, table in results.items()}, comparisons


def diagnostic_tables(records: Mapping[str, ForecastRecord], labels: Labels) -> Diagnostics:
    """The diagnostics of all records, by kind and name of the record."""
    tables: Diagnostics = {}
    for name, record in records.items():
        found = record.diagnostics
        for kind in ("spectrum", "ranks"):
            if kind in found:
                curves = _by_place(labels, partial(_curves, found[kind]))
                tables.setdefault(kind, {})[name] = curves
        for event in ("reliability_0.1", "reliability_0.9"):
            if event in found:
                diagrams = _by_place(labels, partial(_diagrams, found[event]))
                tables.setdefault(event, {})[name] = diagrams
    return tables


def _score_table(table: Mapping[str, Array], labels: Labels) -> ScoreTable:
    """`[channel][region][score]` of scores (B, T, C, R)."""
    resampled = next(iter(table.values())).shape[0] > 1
    intervals = {n: bootstrap.interval(v) for n, v in table.items()} if resampled else {}

    def estimates(c: int, r: int) -> dict[str, Estimate]:
        result = {}
        for name, values in table.items():
            result[name] = Estimate(value=to_list(values[0, :, c, r]), low=None, high=None)
            if resampled:
                low, high = intervals[name]
                result[name] |= {"low": to_list(low[:, c, r]), "high": to_list(high[:, c, r])}
        return result

    return _by_place(labels, estimates)


def _by_place(labels: Labels, values: Callable[[int, int], T]) -> dict[str, dict[str, T]]:
    """`[channel][region]` of values by the indices of both."""
    return {
        channel: {region: values(c, r) for r, region in enumerate(labels.regions)}
        for c, channel in enumerate(labels.channels)
    }


def _curves(values: Array, c: int, r: int) -> list[Curve]:
    """The curves of all lead times in values (T, C, R, n)."""
    return [to_list(curve) for curve in values[:, c, r]]


def _diagrams(values: Array, c: int, r: int) -> list[list[Curve]]:
    """The three curves of all lead times in values (T, C, R, 3, n)."""
    return [[to_list(curve) for curve in diagram] for diagram in values[:, c, r]]


def to_list(values: Array) -> Curve:
    """Numbers (n,) to six digits; None for those not defined, as JSON has no NaN."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
