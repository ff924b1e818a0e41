"""REPORT.md and report.html of a study: verdicts, pictures, each arm, and how it was matched."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import cast

from images.evaluation.published import MNIST_BITS
from images.study.findings import plots
from images.study.findings.claims import CALLS, Comparison, Verdict, judge_claims
from images.study.findings.curves import energy, learning, three_digits
from images.study.findings.frontier import Crossing, costs, crossing
from images.study.findings.matching import matching, tuning
from images.study.findings.results import ArmResults, Findings, Json
from images.study.findings.statistics import BITS, FRECHET, SCORED, Interval
from refine_core.app.html import KeyFigure, Page, sections_of, write_page
from refine_core.app.report import Column, table, write_report

REPORT = "REPORT.md"
Plot = Callable[[Path, Findings], bool]
PICTURES: dict[str, tuple[Plot, str]] = {
    "frontiers.png": (plots.plot_frontiers, "quality against calls and time"),
    "scores.png": (plots.plot_scores, "precision, recall and accuracy"),
    "scales_and_steps.png": (plots.plot_scales_and_steps, "scales against steps"),
    "learning.png": (plots.plot_learning, "learning curves"),
    "energy.png": (plots.plot_energy, "energy after each call"),
    "samples.png": (plots.plot_sheets, "samples of every arm"),
}


def write_findings(plain: Json, out: Path) -> None:
    """Write the report and its pictures.

    Args:
        plain: The content of `study.json`.
        out: The folder.
    """
    findings = Findings.of(plain)
    made = [name for name, (plot, _) in PICTURES.items() if plot(out / name, findings)]
    parts = report(findings, made)
    write_report(out / REPORT, *parts)
    write_page(out / "report.html", study_page(findings, parts, out))


def study_page(findings: Findings, parts: Sequence[str], folder: Path) -> Page:
    """The report as a page.

    Args:
        findings: What was measured.
        parts: The parts of the report.
        folder: Where its pictures are.
    """
    verdicts = judge_claims(findings)
    sentences = [verdicts[-1].sentence(), *summary(findings)[:1]]
    figures = []
    for verdict in verdicts:
        effect = verdict.main and verdict.main.effect
        label, _, about = verdict.claim.partition(": ")
        quantity = f"{effect.quantity.label}: {effect.text()}" if effect else ""
        figures.append(KeyFigure(label, verdict.status, quantity, about))
    return Page(
        title="Refinement and diffusion on equal terms",
        kind="refine images study",
        verdict=" ".join(filter(None, (missing(findings), *sentences))),
        figures=figures,
        sections=sections_of("\n\n".join(filter(None, parts)), folder, "What was run"),
    )


def report(findings: Findings, pictures: Sequence[str]) -> list[str]:
    """The parts of the report, in Markdown.

    Args:
        findings: What was measured.
        pictures: File names beside the report.
    """
    verdicts, config = judge_claims(findings), findings.config
    shown = {name: f"![{PICTURES[name][1]}]({name})" for name in pictures}

    def picture(name: str) -> str:
        return shown.get(name, "")

    return [
        "# Refinement and diffusion on equal terms",
        *([f"**{config.note}**"] if config.note else []),
        missing(findings),
        _method(findings),
        "## In short",
        _bullets([*(verdict.sentence() for verdict in verdicts), *summary(findings)]),
        picture("frontiers.png"),
        f"## What each arm reaches within {CALLS} calls",
        _arms(findings),
        _READING,
        picture("samples.png"),
        picture("scores.png"),
        "## Where the curves cross",
        _crossings(findings),
        "## The claims, and when they turn",
        _COLUMNS,
        *(_conditions(verdict) for verdict in verdicts),
        "## Scales S and steps T",
        picture("scales_and_steps.png"),
        _settings(findings),
        *_all_bits(findings),
        "## Does every step refine?",
        picture("energy.png"),
        energy(findings),
        "## Learning",
        picture("learning.png"),
        learning(findings),
        "## How the arms are matched",
        matching(findings),
        "### Tuning",
        tuning(findings),
    ]


_READING = (
    "Brackets are intervals of 95 % over seeds: Student's, of logarithms for distances. Each row "
    "is the arm's setting of the smallest mean distance to the test images, which favours arms of "
    "many settings by a few percent, with the guidance that was chosen on held-out training "
    "images. *x floor* is the distance in units of that of test images which "
    "the arm's space has taken in and given back, which no arm of it is expected to beat; pixels "
    "lose nothing. Latents are as many numbers as pixels are: they differ in coordinates, not in "
    "their count. Calls are those of the transformer, guided ones as one; their double batch, "
    "autoencoders, and the small networks behind it of flow heads and draws in sequence count in "
    "the time alone. Flow heads keep the little noise of their finest values that other laws of "
    "real values are drawn without. Bits are of test images "
    "under uniform dequantisation, given the class: *exact* where the density is the model's own, "
    "*bound* where it is an upper bound. Times are of one core, in a batch of fixed size, all "
    "settings timed in turn; they compare with each other, not with other machines."
)


_COLUMNS = (
    f"Columns of the tables: *fewest calls*, *{CALLS} calls* and *any cost* are distances of each "
    "arm by its best setting of at most so many calls, the fewest being those that both arms have "
    "a setting for; for *equal time* the second arm may take as long as the first at its best "
    f"setting of {CALLS} calls; *early* is at the first point of the learning curve, without "
    f"guidance; other quantities are those of the settings of *{CALLS} calls*."
)


def missing(findings: Findings) -> str:
    """What is not there yet; nothing if all is."""
    names = findings.missing
    if not names:
        return ""
    listed = ", ".join(names[:6]) + (f", and {len(names) - 6} more" if len(names) > 6 else "")
    return (
        f"**Not complete: {len(names)} results are missing ({listed}).** Verdicts and intervals "
        "are those of what is there; the same command goes on."
    )


def summary(findings: Findings) -> list[str]:
    """The best arms, and whether anything overtakes the refiner."""
    spots = [(arm, spot) for arm in findings if (spot := arm.within(CALLS, FRECHET)) is not None]
    if not spots:
        return []
    arm, best = min(spots, key=lambda pair: pair[1].mean(FRECHET))
    floor, interval = findings.floor(), best.interval(FRECHET)
    assert interval is not None
    beside = "" if floor is None else f"; training images are at {floor:.3f}"
    lines = [
        f"The smallest distance within {CALLS} calls is that of {arm.label}: "
        f"{interval.text('.3f')} in {costs(best)}{beside}."
    ]
    refiner = findings.arms[findings.config.refiner]
    rivals = [rival for rival in findings if rival.about.family == "diffusion"]
    found = [crossing(refiner.guided, rival.guided, rival.label) for rival in rivals]
    passed = [each for each in found if each is not None and each.first is not None]
    measured = [each for each in found if each is not None]
    if measured and not passed:
        most = max(spot.calls for rival in rivals for spot in rival.guided)
        lines.append(f"No diffusion arm overtakes {refiner.label} up to {most} calls.")
    for each in passed:
        assert each.first is not None
        sure = "" if each.certain is None else f", beyond doubt from {costs(each.certain)} on"
        lines.append(
            f"{each.rival} overtakes {refiner.label} ({costs(each.refiner)}) from "
            f"{costs(each.first)} on{sure}."
        )
    return lines


def _method(findings: Findings) -> str:
    config = findings.config
    budget, backbone, tuning = config.budget, config.backbone, config.tuning
    measured = config.measurement
    seeds = f"{len(config.seeds)} seed" + "s" * (len(config.seeds) > 1)
    rates = str(len(tuning.learning_rates))
    if tuning.further_arms:
        more = len(tuning.further_rates)
        rates += f" ({more} more for {len(tuning.further_arms)} whose best was the outermost)"
    return (
        f"{len(findings.arms)} arms, {seeds}. Every arm has a transformer of width "
        f"{backbone.dim}, depth {backbone.depth} and {backbone.heads} heads and about "
        f"{backbone.parameters:,} trained parameters, and sees {budget.tokens:,} tokens of "
        f"{findings.training_images:,} images in training, in batches of {budget.batch} "
        f"({budget.precision}). For every arm, {rates} learning rates were "
        f"tried at {tuning.share:.3g} of the budget and {len(tuning.guidance)} weights of "
        f"guidance with the first seed, on {tuning.images:,} training images that no arm was "
        f"trained on. Scores are of {measured.samples:,} samples against as many test images."
    )


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _arms(findings: Findings) -> str:
    spots = [(arm, spot) for arm in findings if (spot := arm.within(CALLS, FRECHET)) is not None]
    columns: list[Column | str] = [
        "arm",
        "calls",
        Column("guidance", form=".2g"),
        Column("ms", form=".2f"),
    ]
    columns += ["Frechet distance", Column("x floor", form=".2f")]
    columns += [*(quantity.label for quantity in SCORED[1:]), "bits/dim"]
    rows = []
    for arm, spot in sorted(spots, key=lambda pair: pair[1].mean(FRECHET)):
        own = arm.floor()
        rows.append(
            [
                arm.label,
                spot.name,
                spot.guidance,
                spot.ms,
                _text(spot.interval(FRECHET), FRECHET.form),
                None if own is None else spot.mean(FRECHET) / own,
                *(_text(spot.interval(each), each.form) for each in SCORED[1:]),
                _bits(arm),
            ]
        )
    return table(columns, rows, missing="–")


def _bits(arm: ArmResults) -> str | None:
    values = list(arm.number("bits", "bits").values())
    if not values:
        return None
    kinds = {str(part["kind"]) for part in arm.part("bits").values() if part["kind"]}
    return f"{Interval.of(values).text(BITS.form)} {', '.join(sorted(kinds))}"


def _all_bits(findings: Findings) -> list[str]:
    """Bits per dimension of all arms; of MNIST, beside published ones."""
    rows: list[tuple[str, str, str]] = []
    for arm in findings:
        values = arm.number("bits", "bits")
        kinds = {str(part["kind"]) for part in arm.part("bits").values()}
        if values:
            text = Interval.of(list(values.values())).text(BITS.form)
            rows.append((arm.label, text, ", ".join(sorted(kinds))))
    if not rows:
        return []
    rows.sort(key=lambda row: float(row[1].split()[0]))
    if findings.config.data is None:
        rows += [(f"*{p.model}*", f"{p.bits:.2f}", f"published: {p.source}") for p in MNIST_BITS]
    text = (
        f"Of {findings.config.measurement.bits_images:,} test images under uniform "
        "dequantisation, given the class. Published models are not told the class, and had far "
        "more training."
    )
    return ["## Bits per dimension", text, table(["model", "bits/dim", "kind"], rows)]


def _text(interval: Interval | None, form: str) -> str | None:
    return None if interval is None else interval.text(form)


def _crossings(findings: Findings) -> str:
    refiner = findings.arms[findings.config.refiner]
    rivals = [arm for arm in findings if arm is not refiner]
    found = [crossing(refiner.guided, rival.guided, rival.label) for rival in rivals]
    known = [each for each in found if each is not None]
    if not known:
        return "No results yet."
    head = (
        f"{refiner.label} at its best, {costs(known[0].refiner)}, against every setting of each "
        "other arm. *Overtakes* is the cheapest setting of a smaller mean distance, *beyond "
        "doubt* the cheapest whose interval, corrected for the number of the arm's settings, says "
        "so."
    )
    columns = ["arm", "its best setting", f"distance of {refiner.label} to it"]
    return f"{head}\n\n{table([*columns, 'overtakes', 'beyond doubt'], map(_crossing, known))}"


def _crossing(found: Crossing) -> list[str]:
    first, certain = (
        "never" if spot is None else costs(spot) for spot in (found.first, found.certain)
    )
    return [found.rival, costs(found.best), found.effect.text(), first, certain]


def _conditions(verdict: Verdict) -> str:
    """A claim with a table: a row for each pair of arms, a column for each condition."""
    parts = [f"### {verdict.claim}", verdict.sentence(), verdict.conditions()]
    columns = list(dict.fromkeys(each.column for each in verdict.comparisons))
    rows: dict[str, dict[str, str]] = {}
    for each in verdict.comparisons:
        rows.setdefault(each.pair, {"pair": each.pair})[each.column] = _marked(each)
    if rows:
        parts.append(table(["pair", *columns], rows.values(), missing="–"))
        parts.append(
            "Ratios are of Frechet distances, below 1 in favour of the first arm; differences "
            "are of the named quantity. **Bold** decides for the claim, *italics* against it. "
            "A bound of bits decides only where it is below what is exact."
        )
    return "\n\n".join(parts)


def _marked(comparison: Comparison) -> str:
    mark = {1: "**", -1: "*", 0: ""}[comparison.effect.better]
    return f"{mark}{comparison.effect.text()}{mark}"


def _settings(findings: Findings) -> str:
    """Distances at every count of calls, of the best sampler, guided and unguided."""
    parts = []
    for guided, title in ((True, "With guidance"), (False, "Without guidance")):
        every = [spot for arm in findings for spot in (arm.guided if guided else arm.unguided)]
        calls = sorted({spot.calls for spot in every if spot.of(FRECHET)})
        rows = []
        for arm in findings:
            row: dict[str, object] = {"arm": arm.label}
            for spot in arm.guided if guided else arm.unguided:
                if spot.of(FRECHET):
                    value, key = spot.mean(FRECHET), str(spot.calls)
                    row[key] = min(value, cast(float, row.get(key, math.inf)))
            rows.append(row)
        if calls:
            shown = [Column(str(each), form=three_digits) for each in calls]
            columns: list[Column | str] = ["arm", *shown]
            parts.append(f"{title}, Frechet distance by network calls:")
            parts.append(table(columns, rows, missing=""))
    return "\n\n".join(parts)
