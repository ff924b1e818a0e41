"""The files of a report: metrics.json, REPORT.md and pictures."""

import json
from collections.abc import Mapping
from pathlib import Path

from refine_core.app.report import number, table, write_report
from refine_core.storage.files import write_text
from weather.fields.labels import leads_to_show, readable_unit
from weather.verification import bootstrap
from weather.verification.report import Estimate, VerificationReport
from weather.verification.score_plots import plot_scores

TABLES = {
    "crps_fair": "Fair CRPS",
    "rmse": "RMSE of the ensemble mean",
    "spread_skill": "Spread-skill ratio",
}
"""Scores that have a table, and its title."""
MOST_LEADS, MOST_LEADS_SKILL = 6, 10
"""Lead times in a table of scores, and in one of skill, whose cells are shorter."""
UNDEFINED = "–"
EXPLANATION = (
    "Scores are area-weighted means over the region and the starts, roots are taken last; the "
    "fair CRPS is that of an endless ensemble, so that numbers of members may differ."
)


def write_files(report: VerificationReport, out: Path) -> None:
    """Write metrics.json, REPORT.md and its pictures to a folder."""
    numbers = json.dumps(report, ensure_ascii=False, allow_nan=False)
    write_text(out / "metrics.json", numbers)
    captions = plot_scores(report, out)
    write_report(out / "REPORT.md", markdown(report, captions))


def markdown(report: VerificationReport, captions: Mapping[str, str] | None = None) -> str:
    """The report in Markdown.

    Args:
        report: What `verify` returned.
        captions: Captions of pictures, by file name.
    """
    first, *others = report["scores"]
    main, *regions = report["regions"]
    parts = [f"# Verification of {first}", _summary(report)]
    if report["notes"]:
        parts.append("\n".join(f"- {note}" for note in report["notes"]))
    for score, title in TABLES.items():
        parts += [f"## {title}, {main}", score_table(report, score, main)]
    bold = "; bold where the interval leaves out zero" if _has_intervals(report) else ""
    parts += [
        f"## Fair CRPS against {other}, {main}\n\nHow much lower that of {first} is, in per cent "
        f"of the other's, start by start{bold}.\n\n" + _skill_table(report, other, main)
        for other in others
    ]
    for region in regions:
        parts += [f"## {TABLES['crps_fair']}, {region}", score_table(report, "crps_fair", region)]
    parts += [
        f"## {caption}\n\n![{caption}]({file})" for file, caption in (captions or {}).items()
    ]
    parts.append(f"All scores, lead times and regions: metrics.json. {EXPLANATION}")
    return "\n\n".join(parts) + "\n"


def score_table(report: VerificationReport, score: str, region: str) -> str:
    """A score of every forecast by variable and lead time, the best in bold.

    The forecast verified has its 95 % interval, if there are enough starts for one.
    """
    leads = leads_to_show(report["lead_days"], MOST_LEADS)
    first = next(iter(report["scores"]))
    rows = []
    for channel, unit in report["channels"].items():
        factor, unit = (1.0, "") if score == "spread_skill" else readable_unit(unit)
        label = f"{channel} ({unit})" if unit else channel
        found = {n: tables[channel][region][score] for n, tables in report["scores"].items()}
        ideal = 1.0 if score == "spread_skill" else 0.0
        best = [_best({n: each["value"][t] for n, each in found.items()}, ideal) for t in leads]
        for name, estimate in found.items():
            cells = [
                _cell(estimate, t, factor, bold=name == top, interval=name == first)
                for t, top in zip(leads, best, strict=True)
            ]
            if any(estimate["value"][t] is not None for t in leads):
                rows.append([label, name, *cells])
                label = ""
    return table(["variable", "forecast", *_lead_titles(report, leads)], rows)


def _lead_titles(report: VerificationReport, leads: list[int]) -> list[str]:
    return [f"{report['lead_days'][t]:g} d" for t in leads]


def _summary(report: VerificationReport) -> str:
    starts, pairs, members = report["starts"], report["pairs"], report["members"]
    first = next(iter(members))
    block = f"blocks of {starts['block']} starts" if starts["block"] > 1 else "single starts"
    intervals = f" Intervals hold 95 % of the resamples (bootstrap of {block})."
    return (
        f"{members[first]} members, {starts['count']} starts from {starts['first']} to "
        f"{starts['last']}, {pairs['verified']} pairs of start and lead time."
    ) + (intervals if _has_intervals(report) else "")


def _has_intervals(report: VerificationReport) -> bool:
    """Whether there are enough starts for them."""
    starts = report["starts"]
    return starts["count"] >= bootstrap.LEAST * starts["block"]


def _skill_table(report: VerificationReport, other: str, region: str) -> str:
    leads = leads_to_show(report["lead_days"], MOST_LEADS_SKILL)
    skill = report["differences"][other]["skill"]
    rows = [
        [channel, *(_percent(skill[channel][region]["crps_fair"], t) for t in leads)]
        for channel in report["channels"]
    ]
    return table(["variable", *_lead_titles(report, leads)], rows)


def _interval(estimate: Estimate, lead: int) -> tuple[float, float] | None:
    """The ends of an interval; None if there is none or it is not defined."""
    if estimate["low"] is None or estimate["high"] is None:
        return None
    low, high = estimate["low"][lead], estimate["high"][lead]
    return None if low is None or high is None else (low, high)


def _percent(estimate: Estimate, lead: int) -> str:
    value, interval = estimate["value"][lead], _interval(estimate, lead)
    if value is None:
        return UNDEFINED
    if interval is None:
        return f"{100 * value:.1f}"
    low, high = interval
    bold = "**" if low > 0 or high < 0 else ""
    return f"{bold}{100 * value:.1f}{bold} [{100 * low:.1f}, {100 * high:.1f}]"


def _best(values: Mapping[str, float | None], ideal: float) -> str:
    known = {name: abs(value - ideal) for name, value in values.items() if value is not None}
    return min(known, key=known.__getitem__, default="")


def _cell(estimate: Estimate, lead: int, factor: float, *, bold: bool, interval: bool) -> str:
    value = estimate["value"][lead]
    if value is None:
        return UNDEFINED
    text = number(factor * value)
    text = f"**{text}**" if bold else text
    ends = _interval(estimate, lead) if interval else None
    return text if ends is None else f"{text} [{', '.join(number(factor * e) for e in ends)}]"
