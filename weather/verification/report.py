"""The report of a verification: metrics.json, REPORT.md and pictures."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from refine_core.storage.files import write_text
from weather.fields.labels import format_number, leads_to_show, readable_unit
from weather.verification import bootstrap
from weather.verification.plot_scores import draw

Report = Mapping[str, Any]

TABLES = {
    "crps_fair": "Fair CRPS",
    "rmse": "RMSE of the ensemble mean",
    "spread_skill": "Spread-skill ratio",
}
"""Scores that have a table, and its title."""
COLUMNS, NARROW = 6, 10
"""Lead times in a table, at most; of one whose cells are short."""
NONE = "–"
"""A score that is not defined."""


def write(report: Report, out: Path) -> None:
    """Write metrics.json, REPORT.md and the pictures that it shows.

    Args:
        report: Of `weather.verification.run.verify`.
        out: Folder.
    """
    numbers = json.dumps(_short(report), ensure_ascii=False, allow_nan=False)
    write_text(out / "metrics.json", numbers)
    pictures = draw(report, out)
    write_text(out / "REPORT.md", markdown(report, pictures))


def markdown(report: Report, pictures: Mapping[str, str] | None = None) -> str:
    """The whole report as text.

    Args:
        report: Of `weather.verification.run.verify`.
        pictures: Captions by file name.
    """
    first, *others = report["scores"]
    main, *regions = report["regions"]
    parts = [f"# Verification of {first}", _head(report)]
    if report["notes"]:
        parts.append("\n".join(f"- {note}" for note in report["notes"]))
    for score, title in TABLES.items():
        parts += [f"## {title}, {main}", table(report, score, main)]
    bold = "; bold where the interval leaves out zero" if _intervals(report) else ""
    parts += [
        f"## Fair CRPS against {other}, {main}\n\nHow much lower that of {first} is, in per cent "
        f"of the other's, start by start{bold}.\n\n" + _skill(report, other, main)
        for other in others
    ]
    for region in regions:
        parts += [f"## {TABLES['crps_fair']}, {region}", table(report, "crps_fair", region)]
    parts += [
        f"## {caption}\n\n![{caption}]({file})" for file, caption in (pictures or {}).items()
    ]
    parts.append(f"All scores, lead times and regions: metrics.json. {_MEANING}")
    return "\n\n".join(parts) + "\n"


_MEANING = (
    "Scores are area-weighted means over the region and the starts, roots are taken last; the "
    "fair CRPS is that of an endless ensemble, so that numbers of members may differ."
)


def table(report: Report, score: str, region: str) -> str:
    """A score of every forecast by variable and lead time, the best in bold.

    The forecast itself has its 95 % interval, if there are starts enough for one.
    """
    leads = leads_to_show(report["lead_days"], COLUMNS)
    first = next(iter(report["scores"]))
    rows = [["variable", "forecast", *(f"{report['lead_days'][t]:g} d" for t in leads)]]
    for channel, unit in report["channels"].items():
        factor, unit = (1.0, "") if score == "spread_skill" else readable_unit(unit)
        label = f"{channel} ({unit})" if unit else channel
        found = {n: tree[channel][region][score] for n, tree in report["scores"].items()}
        ideal = 1.0 if score == "spread_skill" else 0.0
        best = [_best({n: leaf["value"][t] for n, leaf in found.items()}, ideal) for t in leads]
        for name, leaf in found.items():
            cells = [
                _cell(leaf, t, factor, bold=name == top, ends=name == first)
                for t, top in zip(leads, best, strict=True)
            ]
            if any(leaf["value"][t] is not None for t in leads):
                rows.append([label, name, *cells])
                label = ""
    return _markdown_table(rows)


def _head(report: Report) -> str:
    starts, pairs, members = report["starts"], report["pairs"], report["members"]
    first = next(iter(members))
    block = f"blocks of {starts['block']} starts" if starts["block"] > 1 else "single starts"
    intervals = f" Intervals hold 95 % of the resamples (bootstrap of {block})."
    return (
        f"{members[first]} members, {starts['count']} starts from {starts['first']} to "
        f"{starts['last']}, {pairs['verified']} pairs of start and lead time."
    ) + (intervals if _intervals(report) else "")


def _intervals(report: Report) -> bool:
    """Whether there are starts enough for them."""
    starts = report["starts"]
    return bool(starts["count"] >= bootstrap.LEAST * starts["block"])


def _skill(report: Report, other: str, region: str) -> str:
    leads = leads_to_show(report["lead_days"], NARROW)
    rows = [["variable", *(f"{report['lead_days'][t]:g} d" for t in leads)]]
    for channel in report["channels"]:
        leaf = report["differences"][other]["skill"][channel][region]["crps_fair"]
        rows.append([channel, *(_percent(leaf, t) for t in leads)])
    return _markdown_table(rows)


def _percent(leaf: Report, lead: int) -> str:
    value = leaf["value"][lead]
    if value is None or leaf["low"] is None:
        return NONE if value is None else f"{100 * value:.1f}"
    low, high = leaf["low"][lead], leaf["high"][lead]
    if low is None or high is None:
        return f"{100 * value:.1f}"
    bold = "**" if low > 0 or high < 0 else ""
    return f"{bold}{100 * value:.1f}{bold} [{100 * low:.1f}, {100 * high:.1f}]"


def _best(values: Mapping[str, float | None], ideal: float) -> str:
    known = {name: abs(value - ideal) for name, value in values.items() if value is not None}
    return min(known, key=known.__getitem__, default="")


def _cell(leaf: Report, lead: int, factor: float, *, bold: bool, ends: bool) -> str:
    value = leaf["value"][lead]
    if value is None:
        return NONE
    text = format_number(factor * value)
    text = f"**{text}**" if bold else text
    if ends and leaf["low"] is not None and leaf["low"][lead] is not None:
        low, high = (format_number(factor * leaf[end][lead]) for end in ("low", "high"))
        text += f" [{low}, {high}]"
    return text


def _markdown_table(rows: Sequence[Sequence[str]]) -> str:
    def lines() -> Iterator[str]:
        for i, row in enumerate(rows):
            yield f"| {' | '.join(row)} |"
            if i == 0:
                yield "|" + "---|" * len(row)

    return "\n".join(lines())


def _short(report: Any) -> Any:
    """The same with six digits of each number."""
    if isinstance(report, float):
        return float(f"{report:.6g}")
    if isinstance(report, Mapping):
        return {key: _short(value) for key, value in report.items()}
    return [_short(value) for value in report] if isinstance(report, list | tuple) else report
