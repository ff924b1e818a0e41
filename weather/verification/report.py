"""A report of verification: its type, as in metrics_all.json, and how it is made of records."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, TypedDict, TypeVar, get_args

import numpy as np

from weather.fields.arrays import Array
from weather.verification import bootstrap
from weather.verification.forecast_record import ForecastRecord, Real
from weather.verification.statistics import (
    BY_SPREAD,
    LOWER_IS_BETTER,
    RELIABILITY,
    STRUCTURE,
    Table,
)

T = TypeVar("T")
Curve = list[float | None]
"""Numbers over lead times, ranks, wavenumbers or bins; None where they are not defined."""


class Estimate(TypedDict):
    """A score over lead times, with its 95 % interval if there are enough starts for one."""

    value: Curve
    low: Curve | None
    high: Curve | None


ScoreTable = dict[str, dict[str, dict[str, Estimate]]]
"""Estimates by channel, region and score. Sets of channels that are scored together have scores
of their own, by the name of the set."""
CurveTable = dict[str, dict[str, dict[str, list[Curve]]]]
"""Curves of all lead times, by forecast, channel and region."""


class Reliability(TypedDict):
    """How often an event happened at each forecast probability, at one lead time.

    `cells` is the number of cells of all maps with that probability, weighted by area.
    """

    cells: Curve
    forecast: Curve
    observed: Curve
    low: Curve | None
    high: Curve | None


class BySpread(TypedDict):
    """Root mean squares of spread and error in groups of cells, of least spread first."""

    spread: Curve
    error: Curve
    low: Curve | None
    high: Curve | None


ReliabilityTable = dict[str, dict[str, dict[str, list[Reliability]]]]
"""Of all lead times, by forecast, channel and region."""
BySpreadTable = dict[str, dict[str, dict[str, list[BySpread]]]]
"""Of all lead times, by forecast, channel and region."""
CurveKind = Literal["spectrum", "error_spectrum", "difference_spectrum", "ranks"]
CURVES: tuple[CurveKind, ...] = get_args(CurveKind)
"""Diagnostics averaged over starts."""
MEAN = "mean of variables"
"""Row of comparisons: the mean of all channels."""


class Comparison(TypedDict):
    """The scores of the first forecast minus another's, and 1 minus their ratio (skill)."""

    difference: ScoreTable
    skill: ScoreTable


class Twin(TypedDict):
    """The shuffled twin of a forecast, in which only the joint structure is lost.

    `scores` are those of the twin, `skill` is 1 minus the forecast's over the twin's.
    """

    scores: ScoreTable
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


class Limit(TypedDict):
    """Scores of the perfect model; and scores of each forecast as multiples of them."""

    members: int
    starts: Starts
    scores: ScoreTable
    multiples: dict[str, ScoreTable]


class Diagnostics(TypedDict, total=False):
    """Curves of forecasts and truth.

    Power spectra of members, and of what they differ by from the truth and from each other; rank
    histograms; reliability by event, if there is a climatology or a threshold; errors by spread.
    """

    spectrum: CurveTable
    error_spectrum: CurveTable
    difference_spectrum: CurveTable
    ranks: CurveTable
    reliability: dict[str, ReliabilityTable]
    by_spread: BySpreadTable


class VerificationReport(Diagnostics):
    """What was measured: `members`, `scores` and `differences` by forecast, `channels` with units.

    The first forecast is the one verified; baselines come last. `sets` are the channels that are
    scored together, by the name that they have among the rows of scores.
    """

    members: dict[str, int]
    starts: Starts
    pairs: Pairs
    lead_days: list[float]
    channels: dict[str, str]
    sets: dict[str, list[str]]
    regions: list[str]
    scores: dict[str, ScoreTable]
    differences: dict[str, Comparison]
    shuffled: dict[str, Twin]
    limit: Limit | None
    notes: list[str]


class Labels(NamedTuple):
    """Names of rows (C,), which are channels and sets of them, and of regions (R,).

    `channels` is the number of rows that are channels.
    """

    rows: Sequence[str]
    regions: Sequence[str]
    channels: int


class Scores(NamedTuple):
    """The parts of a report that are scores."""

    scores: dict[str, ScoreTable]
    differences: dict[str, Comparison]
    shuffled: dict[str, Twin]
    multiples: dict[str, ScoreTable]


def score_tables(
    records: Mapping[str, ForecastRecord],
    twins: Mapping[str, ForecastRecord],
    counts: Real,
    labels: Labels,
    limit: Table | None = None,
) -> Scores:
    """Scores of all forecasts, and comparisons of the first with each other, by name.

    Args:
        records: Records by name, the forecast to verify first.
        twins: Those of shuffled twins.
        counts: (B, I) of `bootstrap.resamples`.
        labels: Names of rows and regions.
        limit: Scores (B or 1, T, C, R) of the perfect model.
    """
    result = Scores({}, {}, {}, {})
    if limit is not None and (len(counts) == 1 or any(len(v) == 1 for v in limit.values())):
        limit = {name: values[:1] for name, values in limit.items()}
    ours: Table = {}
    for name, record in records.items():
        found = record.scores(counts)
        result.scores[name] = table_of(found, labels)
        if limit is not None:
            result.multiples[name] = table_of(_ratios(found, limit), labels)
        if name in twins:
            theirs = twins[name].scores(counts)
            skill = _skill({n: found[n] for n in STRUCTURE if n in found}, theirs, labels)
            table = table_of({n: v[:1] for n, v in theirs.items()}, labels)
            result.shuffled[name] = Twin(scores=table, skill=skill)
        if not ours:
            ours = found
            continue
        shared = [n for n in found if n in ours and is_lower_better(n)]
        difference = {n: ours[n] - found[n] for n in shared}
        result.differences[name] = Comparison(
            difference=table_of(difference, labels),
            skill=_skill({n: ours[n] for n in shared}, found, labels),
        )
    return result


def is_lower_better(score: str) -> bool:
    """Whether forecasts are compared in a score, less being better."""
    return score in LOWER_IS_BETTER or score.startswith(("brier", "ageostrophic"))


def _ratios(found: Table, other: Table) -> Table:
    """Scores over another forecast's, where less is better and the other's is above zero."""
    shared = [n for n in found if n in other and is_lower_better(n)]
    return {n: found[n] / np.where(other[n] > 0, other[n], np.nan) for n in shared}


def _skill(ours: Table, theirs: Table, labels: Labels) -> ScoreTable:
    """1 minus the ratio of scores, and the mean of it over the channels."""
    result = {}
    for name, ratio in _ratios(ours, theirs).items():
        channels = ratio[:, :, : labels.channels]
        known = np.isfinite(channels)
        total = np.where(known, channels, 0).sum(2, keepdims=True)
        number = known.sum(2, keepdims=True)
        mean = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
        result[name] = 1 - np.concatenate([ratio, mean], 2)
    return table_of(result, labels._replace(rows=[*labels.rows, MEAN]))


def diagnostic_tables(
    records: Mapping[str, ForecastRecord], counts: Real, labels: Labels, cells: Array
) -> Diagnostics:
    """The diagnostics of all records, by kind and name of the record.

    Args:
        records: Records by name; those without diagnostics have no tables.
        counts: (B, I) of `bootstrap.resamples`.
        labels: Names of rows and regions.
        cells: (T, R) number of cells of all maps.
    """
    tables: Diagnostics = {}
    channels = labels._replace(rows=labels.rows[: labels.channels])
    for name, record in records.items():
        found = record.diagnostics
        for kind in CURVES:
            if kind in found:
                curves = _by_place(channels, _curves(found[kind]))
                tables.setdefault(kind, {})[name] = curves
        for statistic in record.curves() if found else ():
            leads = [record.curve(statistic, counts, lead) for lead in range(len(cells))]
            if statistic == BY_SPREAD:
                groups = [_by_spread(values) for values in leads]
                tables.setdefault("by_spread", {})[name] = _by_place(channels, _pick(groups))
            else:
                diagrams = [_reliability(*each) for each in zip(leads, cells, strict=True)]
                events = tables.setdefault("reliability", {})
                events.setdefault(statistic.removeprefix(RELIABILITY), {})[name] = {
                    row: regions
                    for row, regions in _by_place(channels, _pick(diagrams)).items()
                    if any(n is not None for d in regions.values() for n in d[0]["cells"])
                }
    return tables


def _pick(places: Sequence[Callable[[int, int], T]]) -> Callable[[int, int], list[T]]:
    """The values of all lead times by the indices of row and region."""
    return lambda c, r: [values(c, r) for values in places]


def _by_spread(values: Real) -> Callable[[int, int], BySpread]:
    """Groups of cells of values (B, C, R, 3, groups), by the indices of row and region."""
    with np.errstate(invalid="ignore", divide="ignore"):
        spread, error = (np.sqrt(values[:, :, :, k] / values[:, :, :, 0]) for k in (2, 1))
    low, high = _ends(error)

    def pick(c: int, r: int) -> BySpread:
        return BySpread(
            spread=to_list(spread[0, c, r]), error=to_list(error[0, c, r]),
            low=low(c, r), high=high(c, r),
        )  # fmt: skip

    return pick


def _reliability(values: Real, cells: Array) -> Callable[[int, int], Reliability]:
    """Diagrams of values (B, C, R, 3, bins), by the indices of row and region."""
    with np.errstate(invalid="ignore", divide="ignore"):
        forecast, observed = (values[:, :, :, k] / values[:, :, :, 0] for k in (1, 2))
    low, high = _ends(observed)

    def pick(c: int, r: int) -> Reliability:
        return Reliability(
            cells=to_list(np.rint(values[0, c, r, 0] * cells[r])),
            forecast=to_list(forecast[0, c, r]), observed=to_list(observed[0, c, r]),
            low=low(c, r), high=high(c, r),
        )  # fmt: skip

    return pick


def _ends(
    values: Real,
) -> tuple[Callable[[int, int], Curve | None], Callable[[int, int], Curve | None]]:
    """Lower and upper ends of curves (B, C, R, n), by the indices of row and region."""
    if len(values) == 1:
        return (lambda c, r: None), (lambda c, r: None)
    low, high = bootstrap.interval(values)
    return (lambda c, r: to_list(low[c, r])), (lambda c, r: to_list(high[c, r]))


def table_of(table: Mapping[str, Array], labels: Labels) -> ScoreTable:
    """`[row][region][score]` of scores (B, T, C, R), of those that are defined."""
    intervals = {n: bootstrap.interval(v) for n, v in table.items() if len(v) > 1}

    def estimates(c: int, r: int) -> dict[str, Estimate]:
        result = {}
        for name, values in table.items():
            value = to_list(values[0, :, c, r])
            if any(each is not None for each in value):
                result[name] = Estimate(value=value, low=None, high=None)
                if name in intervals:
                    low, high = intervals[name]
                    result[name] |= {"low": to_list(low[:, c, r]), "high": to_list(high[:, c, r])}
        return result

    return _by_place(labels, estimates)


def _by_place(labels: Labels, values: Callable[[int, int], T]) -> dict[str, dict[str, T]]:
    """`[row][region]` of values by the indices of both."""
    return {
        row: {region: values(c, r) for r, region in enumerate(labels.regions)}
        for c, row in enumerate(labels.rows)
    }


def _curves(values: Array) -> Callable[[int, int], list[Curve]]:
    """The curves of all lead times in values (T, C, R, n), by the indices of row and region."""
    return lambda c, r: [to_list(curve) for curve in values[:, c, r]]


def to_list(values: Array) -> Curve:
    """Numbers (n,) to six digits; None for those not defined, as JSON has no NaN."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
