"""The part of a report that is small enough to be kept: metrics.json, beside metrics_all.json."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from weather.verification.baselines import NAMES
from weather.verification.report import (
    CURVES,
    MEAN,
    CurveTable,
    Estimate,
    ScoreTable,
    VerificationReport,
)
from weather.verification.report_tables import ReportTables

T = TypeVar("T")
DIGITS = 4
"""Of numbers in metrics.json."""
EVENT = "0.9"
"""The event of which reliability is kept."""
LEFT_OUT = re.compile(r"crps|rmse_unbiased|mae|brier_(?!fair).*|.*_0\.1|(average|max)_crps_[28]")
"""Scores that no table of variables shows."""


def headline(report: VerificationReport) -> dict[str, object]:
    """Numbers of the variables and lead times that the tables show, nested as in the report.

    Scores are of the first region, and the CRPS of the forecast verified of all. Only that
    forecast has intervals, curves and reliability, and the truth spectra; comparisons are skills,
    with intervals, with baselines in the mean of all variables only.

    Args:
        report: What `verify` returned.
    """
    tables = ReportTables(report)
    first, leads, limit = tables.first, tables.leads, report["limit"]
    channels = [*tables.channels, *report["sets"]]
    kept: dict[str, object] = {
        name: value
        for name, value in report.items()
        if name in ("members", "starts", "pairs", "sets", "regions", "notes")
    }
    kept["lead_days"] = [report["lead_days"][lead] for lead in leads]
    kept["channels"] = {name: report["channels"][name] for name in tables.channels}

    def scores(table: ScoreTable, rows: Collection[str], intervals: bool) -> object:
        return {
            row: {tables.main: _scores(table[row][tables.main], leads, intervals)}
            for row in rows
            if row in table
        }

    kept["scores"] = {n: scores(t, channels, n == first) for n, t in report["scores"].items()}
    kept["crps_fair of regions"] = {
        channel: {
            region: _scores({"crps_fair": found["crps_fair"]}, leads, True)
            for region, found in report["scores"][first][channel].items()
        }
        for channel in tables.channels
    }
    kept["skill"] = {
        name: scores(compared["skill"], [MEAN] if name in NAMES else [MEAN, *channels], True)
        for name, compared in report["differences"].items()
    }
    kept["shuffled"] = {n: scores(t["skill"], [MEAN], True) for n, t in report["shuffled"].items()}
    if limit is not None:
        ours = scores(limit["multiples"][first], tables.channels, True)
        found = scores(limit["scores"], channels, False)
        kept["limit"] = {**limit, "scores": found, "multiples": {first: ours}}
    return kept | _curves(report, tables)


def _curves(report: VerificationReport, tables: ReportTables) -> dict[str, object]:
    """Spectra, ranks, reliability and errors by spread of the forecast verified."""

    def of(table: Mapping[str, Mapping[str, Mapping[str, Sequence[T]]]], name: str) -> object:
        return {
            channel: [_short(table[name][channel][tables.main][lead]) for lead in tables.leads]
            for channel in tables.channels
            if name in table and channel in table[name]
        }

    empty: CurveTable = {}
    found: dict[str, dict[str, object]]
    found = {kind: {tables.first: of(report.get(kind, empty), tables.first)} for kind in CURVES}
    found["spectrum"]["truth"] = of(report.get("spectrum", empty), "truth")
    found["by_spread"] = {tables.first: of(report.get("by_spread", {}), tables.first)}
    events = report.get("reliability", {})
    found["reliability"] = {EVENT: of(events.get(EVENT, {}), tables.first)}
    return dict(found)


def _scores(
    found: Mapping[str, Estimate], leads: Sequence[int], intervals: bool
) -> dict[str, dict[str, object]]:
    """Estimates at some lead times, of the scores that tables show."""
    return {
        name: {
            part: _short([values[lead] for lead in leads])
            for part, values in each.items()
            if isinstance(values, list) and (intervals or part == "value")
        }
        for name, each in found.items()
        if not LEFT_OUT.fullmatch(name)
    }


def _short(value: object) -> object:
    """Numbers to a few digits, in lists and dicts."""
    if isinstance(value, Mapping):
        return {name: _short(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_short(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
