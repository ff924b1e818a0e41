"""REPORT.md: the tables, what does not replicate and why, and when the claims hold."""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

from images.experiments.conditions import Outcome
from images.experiments.evidence import Evidence
from images.experiments.paper import TABLES, Figure, Quantity
from images.experiments.plan import UNITS
from images.experiments.prose import consistency, explanations, summary
from images.experiments.settings import AblationConfig
from images.experiments.tables import Cell
from images.experiments.verdict import Stat


def report(config: AblationConfig, evidence: Evidence, pictures: Sequence[str]) -> str:
    """The whole report as Markdown.

    Args:
        config: What was run.
        evidence: What was found.
        pictures: File names beside the report.
    """
    parts = [
        "# Tables 1 to 4 of the paper, measured",
        *([f"**{config.note}**"] if config.note else []),
        _method(config, evidence),
        *[f"![{name.split('.')[0].replace('_', ' ')}]({name})" for name in pictures],
        "## In short",
        _bullets(summary(evidence)),
        *[_table(table.number, table.title, evidence.cells) for table in TABLES],
        _READING,
        "## What does not replicate, and why",
        _bullets(explanations(evidence)),
        "## The printed figures among themselves",
        _bullets(consistency(evidence)),
    ]
    if evidence.outcomes and config.sweeps:
        sweeps = config.sweeps
        parts += [
            "## When each claim holds",
            f"One setting is varied at a time; every predictor gets about {sweeps.updates} "
            f"updates, over {len(sweeps.seeds)} seeds. Autoencoder and codebooks see the same "
            "training images as the predictor. Over updates, the training set has "
            f"{sweeps.course_images} images. A comparison is open where the difference is "
            "within two standard errors or 1 %; a target that neither reaches leaves it open.",
            *_conditions(evidence.outcomes),
        ]
    return "\n\n".join(parts) + "\n"


_READING = (
    "A value *agrees* if it is within two combined standard deviations of the printed one or 5 %. "
    "A row's *direction*, against the first row of its table, holds if our difference has the "
    "printed sign and exceeds two standard errors and 1 %. The floor is what is reached without "
    "training a predictor: the best linear filter for pixels, the autoencoder or the code of the "
    "*clean* image for latents, an empty band for HF-PSNR. A printed value is *out of reach* if "
    "it is below what decoding the clean image costs. Bitwise-8 is not specified in the paper; "
    "three readings are measured: 8-bit words for the same centroids, decoded by the likeliest "
    "word; signs of 8 principal components, decoded by the mean of the cell; 8 learned sign bits "
    "with a linear decoder."
)


def _method(config: AblationConfig, evidence: Evidence) -> str:
    setup = config.setup
    return (
        f"{evidence.train} training and {evidence.test} test images; {setup.epochs} epochs at "
        f"batch {setup.batch}, AdamW {setup.learning_rate:g} / {setup.weight_decay:g}, width "
        f"{setup.width}, noise {setup.sigma:g} (shifted: {setup.shifted_sigma:g}), target "
        f"{setup.target:g}, {len(config.seeds)} seeds (mean ± standard deviation). The regression "
        "head and the Latent-MLP are one and the same predictor; so are the single shot, S = 1 "
        "and the Pixel-MLP. Times are CPU-time of one thread."
    )


def _table(number: int, title: str, cells: Iterable[Cell]) -> str:
    lines = [
        f"## Table {number}. {title}",
        "",
        "| row | quantity | paper | ours | floor | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for cell in cells:
        if cell.table == number:
            quantity = cell.quantity
            floor = "–"
            if cell.floor:
                floor = f"{cell.floor.value:.{quantity.digits}f} ({cell.floor.name})"
            columns = (
                cell.row,
                quantity.label,
                printed(cell.printed, quantity),
                shown(cell.ours, quantity),
                floor,
                cell.verdict,
            )
            lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines)


def printed(figure: Figure | None, quantity: Quantity) -> str:
    """A figure of the paper."""
    if figure is None:
        return "–"
    mean, std = figure
    spread = "" if std is None else f" ± {std:.{quantity.digits}f}"
    return f"{mean:.{quantity.digits}f}{spread}"


def shown(stat: Stat, quantity: Quantity) -> str:
    """One of ours."""
    if math.isinf(stat.mean):
        return "never"
    return f"{stat.mean:.{quantity.digits}f} ± {stat.std:.{quantity.digits}f}"


def _conditions(found: Sequence[Outcome]) -> list[str]:
    """A table per claim: where it holds, is open, fails."""
    parts = []
    for claim, group in groupby(found, key=lambda o: o.claim):
        lines = [
            f"### {claim}",
            "",
            "| predictor | in | varied | holds at | open at | fails at |",
            "|---|---|---|---|---|---|",
        ]
        rows: dict[tuple[str, str, str], dict[int, list[str]]] = {}
        for outcome in group:
            by_group = outcome.sweep == "groups"
            name = "product" if by_group else outcome.challenger
            key = (name, outcome.quantity.label, UNITS[outcome.sweep])
            places = rows.setdefault(key, {1: [], 0: [], -1: []})
            places[outcome.better].append(f"{outcome.value:g}")
        for key, places in rows.items():
            where = [", ".join(places[sign]) or "–" for sign in (1, 0, -1)]
            lines.append(f"| {' | '.join([*key, *where])} |")
        parts.append("\n".join(lines))
    return parts


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)
