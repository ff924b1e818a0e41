"""The files of a report: numbers as JSON, REPORT.md, report.html and pictures."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from refine_core.app.html import Block, Figure, KeyFigure, Page, Section, Text, write_page
from refine_core.app.report import write_report
from refine_core.errors import InputError, suggest
from refine_core.storage.files import write_text
from weather.fields.labels import channel_title, readable_unit
from weather.verification import bootstrap
from weather.verification.baselines import NAMES
from weather.verification.cross_variable import ALL
from weather.verification.headline import headline
from weather.verification.report import MEAN, Estimate, Starts, VerificationReport
from weather.verification.report_tables import BASELINES_OF, UNDEFINED, ReportTables, cell
from weather.verification.score_plots import plot_scores

STRUCTURE_TITLES = {
    "energy": "energy score",
    "variogram": "variogram score",
    "average_crps_2": "CRPS of means over 2 x 2 cells",
    "average_crps_4": "CRPS of means over 4 x 4 cells",
    "average_crps_8": "CRPS of means over 8 x 8 cells",
    "max_crps_2": "CRPS of maxima over 2 x 2 cells",
    "max_crps_4": "CRPS of maxima over 4 x 4 cells",
    "max_crps_8": "CRPS of maxima over 8 x 8 cells",
}
"""What scores of the joint structure are called."""
TOGETHER = {name: f"{STRUCTURE_TITLES[name]} of all together" for name in ("energy", "variogram")}
SKILL = {
    "crps_fair": "CRPS",
    "rmse": "RMSE",
    "brier_fair_0.9": "Brier score above the 90th percentile",
    **{n: STRUCTURE_TITLES[n] for n in ("energy", "variogram", "average_crps_4", "max_crps_4")},
}
"""Scores in which forecasts are compared, and what they are called."""
EXTREMES = "values above the 90th percentile of climatology"
PICTURES = {
    "CRPS": "crps.png",
    "RMSE of the ensemble mean": "rmse.png",
    "Spread-skill ratio": "spread.png",
    f"How often {EXTREMES} came true": "reliability.png",
    "Does the error follow the spread?": "flow.png",
    "Differences of members": "differences.png",
}
"""Pictures that show the numbers of a table, by the beginning of its heading."""


def write_files(
    report: VerificationReport, out: Path, maps: Callable[[], Sequence[Block]] = list
) -> None:
    """Write metrics.json, metrics_all.json, REPORT.md, report.html and its pictures to a folder.

    Args:
        report: What `verify` returned.
        out: The folder.
        maps: Makes what report.html shows of the forecast itself; called when all else is written.
    """
    for name, numbers in {"metrics": headline(report), "metrics_all": report}.items():
        text = json.dumps(numbers, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        write_text(out / f"{name}.json", text + "\n")
    captions = plot_scores(report, out)
    write_report(out / "REPORT.md", markdown(report, captions))
    write_page(out / "report.html", web_page(report, captions, out, maps()))


def score_table(report: VerificationReport, score: str = "crps_fair", region: str = "") -> str:
    """A table in Markdown of a score of the best-known variables, by forecast and lead time.

    Args:
        report: What `verify` returned.
        score: A score of the report, such as crps_fair, rmse or spread_skill.
        region: A region of the report; by default its first.

    Returns:
        The best forecast in bold; nothing if no forecast has the score.

    Raises:
        InputError: The report has no such region.

    >>> import weather
    >>> from weather.samples import STATES
    >>> model = weather.load("gcm")
    >>> made = model.forecast(STATES, "2019-11-15", members=2, steps=1, workers=1)
    >>> report = weather.verify(made, STATES, variables="z500", regions="global")
    >>> print(weather.score_table(report, "rmse").splitlines()[0])
    | variable | forecast | 1 d |
    """
    tables, regions = ReportTables(report), report["regions"]
    if region and region not in regions:
        raise InputError(
            f"Found region {region!r}, expected one of the report: {', '.join(regions)}."
            f"{suggest(region, regions)}"
        )
    return tables.score(score, region or tables.main, tables.channels)


def limit_tables(report: VerificationReport) -> str:
    """CRPS and RMSE as multiples of the limit, with titles; empty without a limit."""
    tables = ReportTables(report)
    found = {SKILL[score]: tables.multiples(score) for score in ("crps_fair", "rmse")}
    parts = [
        f"{title} over that of the limit\n\n{table}" for title, table in found.items() if table
    ]
    return "\n\n".join(parts)


def markdown(report: VerificationReport, captions: Mapping[str, str] | None = None) -> str:
    """The report in Markdown.

    Args:
        report: What `verify` returned.
        captions: Captions of pictures, by file name.
    """
    tables = ReportTables(report)
    parts = [f"# Verification of {tables.first}", *_summary(tables)]
    for chapter, sections in _chapters(tables).items():
        parts += [f"## {chapter}", *("\n\n".join(filter(None, each)) for each in sections)]
    if captions:
        parts.append("## Pictures")
    parts += [f"{caption}\n\n![{caption}]({file})" for file, caption in (captions or {}).items()]
    return "\n\n".join(parts) + "\n"


def web_page(
    report: VerificationReport, captions: Mapping[str, str], folder: Path, maps: Sequence[Block]
) -> Page:
    """The report as a page.

    Args:
        report: What `verify` returned.
        captions: Captions of pictures, by file name.
        folder: Where they are.
        maps: What is shown of the forecast itself.
    """
    tables = ReportTables(report)
    sections = [Section("Maps", maps)] if maps else []
    left = dict(captions)
    for chapter, parts in _chapters(tables).items():
        blocks = list[Block]()
        for heading, about, table in parts:
            title = heading.removeprefix("### ")
            name = next((n for start, n in PICTURES.items() if title.startswith(start)), "")
            blocks.append(Text("\n\n".join(filter(None, (heading, about)))))
            caption = left.pop(name, None)
            shown = Text(table) if caption is None else Figure(folder / name, caption, "", table)
            blocks.append(shown)
        sections.append(Section(chapter, blocks))
    if left:
        figures = [Figure(folder / name, caption) for name, caption in left.items()]
        sections.append(Section("Other pictures", figures))
    return Page(
        title=f"Verification of {tables.first}",
        kind="refine weather verify",
        verdict=_verdict(tables),
        figures=_key_figures(tables),
        sections=[*sections, Section("How to read it", [Text("\n\n".join(_summary(tables)))])],
    )


def _verdict(tables: ReportTables) -> str:
    """How much better than the best baseline, at the first and the last lead time."""
    report, leads = tables.report, tables.few_leads
    members = report["members"][tables.first]
    what = f"{_count(members, 'member')}, {_between(report['starts'])}"
    for name in dict.fromkeys((*BASELINES_OF["crps_fair"], *NAMES)):
        compared = report["differences"].get(name)
        skill = {} if compared is None else compared["skill"].get(MEAN, {}).get(tables.main, {})
        found = skill.get("crps_fair")
        if found is not None:
            said = [
                f"**{'lower' if value >= 0 else 'higher'} by {abs(100 * value):.0f} %** "
                f"at day {report['lead_days'][lead]:g}"
                for lead in dict.fromkeys((leads[0], leads[-1]))
                if (value := found["value"][lead]) is not None
            ]
            if said:
                return (
                    f"The CRPS of {tables.first} ({what}) is {' and '.join(said)} than that of "
                    f"{name}, in the mean of all variables over the region {tables.main}."
                )
    return f"{tables.first} ({what}) was verified without a baseline to compare it with."


def _key_figures(tables: ReportTables) -> list[KeyFigure]:
    """Skill against baselines, then error and spread of the best-known variable."""
    report, lead = tables.report, tables.few_leads[len(tables.few_leads) // 2]
    day, figures = f"day {report['lead_days'][lead]:g}", list[KeyFigure]()

    def add(label: str, estimate: Estimate | None, factor: float = 1.0, unit: str = "") -> None:
        text = UNDEFINED if estimate is None else cell(estimate, lead, factor)
        value, _, interval = text.partition(" [")
        if value != UNDEFINED:
            figures.append(
                KeyFigure(
                    label,
                    f"{value} {unit}".strip(),
                    interval.rstrip("]").replace(", ", " to "),
                    day,
                )
            )

    for name, compared in report["differences"].items():
        if name in NAMES and name not in BASELINES_OF["crps_fair"]:
            continue
        skill = compared["skill"].get(MEAN, {}).get(tables.main, {}).get("crps_fair")
        add(f"lower CRPS than {name}", skill, 100.0, "%")
    channel = tables.channels[0]
    scores = report["scores"][tables.first][channel][tables.main]
    factor, unit = readable_unit(report["channels"][channel])
    title = channel_title(channel)
    add(f"CRPS of {title}", scores.get("crps_fair"), factor, unit)
    add(f"RMSE of {title}, ensemble mean", scores.get("rmse"), factor, unit)
    add(f"spread-skill ratio of {title}, 1 is right", scores.get("spread_skill"))
    return figures[:8]


Sections = Iterator[tuple[str, str, str]]
"""Heading, a line about it, and table of each; without a table it is left out."""


def _chapters(tables: ReportTables) -> dict[str, list[tuple[str, str, str]]]:
    """The sections of each chapter, of those that have a table."""
    chapters = {
        "Skill": _skill(tables),
        "Multiples of the limit": _multiples(tables),
        "Calibration": _calibration(tables),
        "Joint structure": _structure(tables),
        "Regions": _regions(tables),
    }
    found = {name: [each for each in sections if each[-1]] for name, sections in chapters.items()}
    return {name: sections for name, sections in found.items() if sections}


def _summary(tables: ReportTables) -> Iterator[str]:
    """What was verified, and how to read it."""
    report, starts = tables.report, tables.report["starts"]
    members, pairs = report["members"][tables.first], report["pairs"]["verified"]
    text = (
        f"{_count(members, 'member')}, {_between(starts)}, {_count(pairs, 'pair')} of start and "
        "lead time."
    )
    if _has_intervals(report):
        blocks = f"blocks of {starts['block']}" if starts["block"] > 1 else "single"
        text += f" Intervals hold 95 % of the resamples (bootstrap of {blocks} starts)."
    if limit := report["limit"]:
        text += (
            f" Multiples (×) are of the limit's score, that of the perfect model: "
            f"{limit['members']} members, {_between(limit['starts'])}."
        )
    yield text
    if report["notes"]:
        yield "\n".join(f"- {note}" for note in report["notes"])
    shown, known = len(tables.channels), len(report["channels"])
    yield (
        f"Tables are of the region {tables.main}"
        + (f" and of {shown} of {known} variables" if shown < known else "")
        + "; their numbers are in metrics.json, all others in metrics_all.json, which is written "
        "beside it. Scores are area-weighted means over region and starts, with roots taken last. "
        "CRPS, Brier, energy and variogram scores are fair: those of an endless ensemble, so that "
        "numbers of members may differ."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _between(starts: Starts) -> str:
    """Number of the starts, the first and the last."""
    if starts["count"] == 1:
        return f"1 start at {starts['first']}"
    return f"{starts['count']} starts from {starts['first']} to {starts['last']}"


def _skill(tables: ReportTables) -> Sections:
    """Scores of single cells."""
    bold = "; bold where the interval leaves out zero" if _has_intervals(tables.report) else ""
    yield (
        "### Against others",
        f"How much lower the scores of {tables.first} are, in per cent of the other's, start by "
        f"start, in the mean of all variables{bold}.",
        tables.skill(SKILL, MEAN),
    )
    for score, title in {
        "crps_fair": "CRPS",
        "rmse": "RMSE of the ensemble mean",
        "acc": "Anomaly correlation of the ensemble mean",
        "brier_fair_0.9": f"Brier score of {EXTREMES}",
    }.items():
        yield f"### {title}", "", tables.score(score, tables.main, tables.channels)
    channels = list(tables.report["channels"])
    for score, threshold in sorted(_thresholds(tables).items(), key=lambda each: each[1]):
        table = tables.score(score, tables.main, channels)
        yield f"### Brier score of values above {threshold:g} in SI units", "", table


def _multiples(tables: ReportTables) -> Sections:
    """Scores as multiples of those of the perfect model."""
    about = "1 is as good as the perfect model."
    for score, title in SKILL.items():
        yield f"### {title} over that of the limit", about, tables.multiples(score)
        about = ""


def _thresholds(tables: ReportTables) -> dict[str, float]:
    """Thresholds by the name of their score."""
    start, scores = "brier_fair_>", tables.report["scores"][tables.first]
    names = {n for c in tables.report["channels"] for n in scores[c][tables.main]}
    return {n: float(n.removeprefix(start)) for n in names if n.startswith(start)}


def _calibration(tables: ReportTables) -> Sections:
    """Whether spread, anomalies and probabilities are right."""
    for score, (title, about) in {
        "spread_skill": ("Spread-skill ratio", "1 is right."),
        "slope": (
            "Slope of the truth's anomaly on that of the ensemble mean",
            "1 is right; below 1, anomalies are forecast too large.",
        ),
        "event_slope_0.9": (
            f"Slope of {EXTREMES} on their probability",
            "1 is right; below 1, high probabilities are too high.",
        ),
    }.items():
        yield f"### {title}", about, tables.score(score, tables.main, tables.channels)
    yield (
        f"### How often {EXTREMES} came true, by the probability that {tables.first} gave",
        "In per cent; in brackets the number of cells of all maps with that probability, "
        "weighted by area.",
        tables.reliability("0.9"),
    )
    yield (
        "### Does the error follow the spread?",
        "Cells of each circle of latitude are ranked by their spread. The numbers say how many "
        "times as large as in the tenth of least spread, in the tenth of largest, are the spread "
        "→ the error of the ensemble mean. Equal is right; an error of 1 knows nothing of the "
        "spread.",
        tables.flow(),
    )
    yield (
        f"### Differences of members of {tables.first}, over those of members and truth",
        "Root of the ratio of their power, by zonal wavenumber. 1 is right.",
        tables.waves(),
    )
    yield "### Share of dry cells, in per cent", "Less than 0.1 mm is dry.", tables.dry()


def _structure(tables: ReportTables) -> Sections:
    """Scores that depend on how cells and variables vary together."""
    yield (
        "### How much lower scores are than those of the shuffled twin",
        "In per cent, in the mean of all variables. In the twin, members change places at random "
        "in each cell of each map: its CRPS is the same, its structure is lost. All together are "
        "standardised anomalies over tiles of 30 degrees.",
        tables.structure({MEAN: STRUCTURE_TITLES, ALL: TOGETHER}),
    )
    yield (
        "### Balance: northward and geostrophic wind at 25 to 75 degrees",
        "Their correlation; the root mean square of their difference, in m s⁻¹. As in the truth "
        "is right.",
        tables.balance(),
    )
    together = [name for name in tables.report["sets"] if name == ALL]
    for score, title, channels in (
        ("variogram", "Variogram score, of means over tiles of 30 degrees", tables.channels),
        ("energy", "Energy score", tables.channels[:1]),
        ("average_crps_4", STRUCTURE_TITLES["average_crps_4"], tables.channels),
        ("max_crps_4", STRUCTURE_TITLES["max_crps_4"], tables.channels),
    ):
        table = tables.score(score, tables.main, [*channels, *together], twin=True)
        yield f"### {title}", "", table


def _regions(tables: ReportTables) -> Sections:
    yield f"### CRPS of {tables.first}", "", tables.regions()


def _has_intervals(report: VerificationReport) -> bool:
    """Whether there are enough starts for them."""
    starts = report["starts"]
    return starts["count"] >= bootstrap.LEAST * starts["block"]
