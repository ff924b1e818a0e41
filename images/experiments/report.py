"""REPORT.md: the tables, what does not replicate and why, and when each claim holds."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean

from images.experiments.claims import CLAIMS, Outcome
from images.experiments.config import AblationConfig
from images.experiments.design import UNITS
from images.experiments.metrics import Floors
from images.experiments.paper import MSE, PRINTED, TABLES, Figure, Quantity
from images.experiments.replication import BELOW, DEFINED, UNPRINTED, Cell, Results, Stat
from refine_core.app.html import KeyFigure, Page, sections_of
from refine_core.app.report import table

PAIRS = (("latent", "pixel"), ("softmax", "latent"), ("bands 2", "pixel"))
"""The predictors that each claim compares: the first is said to be better."""


@dataclass(frozen=True)
class Findings:
    """All that the ablation measured.

    Args:
        train: Number of training images.
        test: Number of test images.
        results: Results behind the tables.
        floors: Error floors, see `metrics.error_floors`.
        cells: Cells of the tables.
        outcomes: Outcomes of the sweeps.
        course: Results with a test error after every epoch; none without sweeps.
    """

    train: int
    test: int
    results: Results
    floors: Floors
    cells: Sequence[Cell]
    outcomes: Sequence[Outcome]
    course: Results

    def mean(self, predictor: str, key: str) -> float:
        """Mean over seeds, infinite where one never reached the target."""
        return Stat.of([result.values[key] for result in self.results[predictor]]).mean

    def band_error(self, predictor: str) -> float:
        """Squared error in the high band."""
        return float(10 ** (-self.mean(predictor, "hf_psnr") / 10))


def report(config: AblationConfig, findings: Findings, pictures: Sequence[str]) -> list[str]:
    """The parts of the report, in Markdown.

    Args:
        config: What was run.
        findings: What was measured.
        pictures: File names beside the report.
    """
    parts = [
        "# Tables 1 to 4 of the paper, measured",
        *([f"**{config.note}**"] if config.note else []),
        _method(config, findings),
        *[f"![{name.split('.')[0].replace('_', ' ')}]({name})" for name in pictures],
        "## In short",
        _bullets(summary(findings)),
        *[_table(each.number, each.title, findings.cells) for each in TABLES],
        _READING,
        "## What does not replicate, and why",
        _bullets(explanations(findings)),
        "## The printed figures among themselves",
        _bullets(consistency(findings)),
    ]
    if findings.outcomes and config.sweeps:
        sweeps = config.sweeps
        parts += [
            "## When each claim holds",
            f"One setting is varied at a time; every predictor gets about {sweeps.updates} "
            f"updates, over {len(sweeps.seeds)} seeds. Autoencoder and codebooks see the same "
            "training images as the predictor. Over updates, the training set has "
            f"{sweeps.course_images} images. A comparison is open where the 95 % interval of the "
            "difference (Welch's, over seeds) has zero in it, or the difference is within 1 %; a "
            "target that neither reaches leaves it open.",
            *_conditions(findings.outcomes),
        ]
    return parts


def ablation_page(findings: Findings, parts: Sequence[str], folder: Path) -> Page:
    """The report as a page.

    Args:
        findings: What was measured.
        parts: The parts of the report.
        folder: Where its pictures are.
    """
    figures = []
    for claim, (challenger, base) in zip(CLAIMS, PAIRS, strict=True):
        ours, other = (
            Stat.of([result.values["mse"] for result in findings.results[name]])
            for name in (challenger, base)
        )
        spread = f"± {ours.std:.4f}, {ours.seeds} seed" + "s" * (ours.seeds > 1)
        verdict = "holds" if ours.mean < other.mean else "does not hold"
        beside = f"test MSE against {other.mean:.4f} ± {other.std:.4f}: {verdict}"
        figures.append(KeyFigure(claim.text, f"{ours.mean:.4f}", spread, beside))
    held = sum(findings.mean(ours, "mse") < findings.mean(base, "mse") for ours, base in PAIRS)
    verdict = f"**{held} of {len(PAIRS)}** claims of the paper hold with its own settings."
    return Page(
        title="Tables 1 to 4 of the paper, measured",
        kind="refine images ablate",
        verdict=f"{verdict} {summary(findings)[0]}",
        figures=figures,
        sections=sections_of("\n\n".join(parts), folder, "What was run"),
    )


_READING = (
    "A value *agrees* if it is within two combined standard deviations of the printed one or 5 %. "
    "A row's *direction*, against the first row of its table, holds if our difference has the "
    "printed sign, its 95 % interval (Welch's, over seeds) leaves zero out, and it exceeds 1 %. "
    "The floor is what is reached without training a predictor: the best linear filter for "
    "pixels, the autoencoder or the code of the *clean* image for latents, an empty band for "
    "HF-PSNR. A printed value is *out of reach* if it is below what decoding the clean image "
    "costs. Bitwise-8 is not specified in the paper; "
    "three readings are measured: 8-bit words for the same centroids, decoded by the likeliest "
    "word; signs of 8 principal components, decoded by the mean of the cell; 8 learned sign bits "
    "with a linear decoder."
)


def _method(config: AblationConfig, findings: Findings) -> str:
    setup = config.setup
    return (
        f"{findings.train} training and {findings.test} test images; {setup.epochs} epochs at "
        f"batch {setup.batch}, AdamW {setup.learning_rate:g} / {setup.weight_decay:g}, width "
        f"{setup.width}, noise {setup.sigma:g} (shifted: {setup.shifted_sigma:g}), target "
        f"{setup.target:g}, {len(config.seeds)} seeds (mean ± standard deviation). The regression "
        "head and the Latent-MLP are one and the same predictor; so are the single shot, S = 1 "
        "and the Pixel-MLP. Times are CPU-time of one thread."
    )


def _table(number: int, title: str, cells: Iterable[Cell]) -> str:
    rows = [_row(cell) for cell in cells if cell.table == number]
    columns = ["row", "quantity", "paper", "ours", "floor", "verdict"]
    return f"## Table {number}. {title}\n\n{table(columns, rows)}"


def _row(cell: Cell) -> list[str]:
    quantity, floor = cell.quantity, "–"
    if cell.floor:
        floor = f"{cell.floor.value:.{quantity.digits}f} ({cell.floor.name})"
    ours, printed = _measured(cell.ours, quantity), _printed(cell.printed, quantity)
    return [cell.row, quantity.label, printed, ours, floor, cell.verdict]


def _printed(figure: Figure | None, quantity: Quantity) -> str:
    """A figure of the paper as text."""
    if figure is None:
        return "–"
    mean, std = figure
    spread = "" if std is None else f" ± {std:.{quantity.digits}f}"
    return f"{mean:.{quantity.digits}f}{spread}"


def _measured(stat: Stat, quantity: Quantity) -> str:
    """A measured quantity as text."""
    if math.isinf(stat.mean):
        return "never"
    return f"{stat.mean:.{quantity.digits}f} ± {stat.std:.{quantity.digits}f}"


def _conditions(found: Sequence[Outcome]) -> list[str]:
    """A table per claim: at which values of each sweep it holds, is open, or fails."""
    parts = []
    for claim, group in groupby(found, key=lambda o: o.claim):
        rows: dict[tuple[str, str, str], dict[int, list[str]]] = {}
        for outcome in group:
            by_group = outcome.sweep == "groups"
            name = "product" if by_group else outcome.challenger
            key = (name, outcome.quantity.label, UNITS[outcome.sweep])
            places = rows.setdefault(key, {1: [], 0: [], -1: []})
            places[outcome.better].append(f"{outcome.value:g}")
        columns = ["predictor", "in", "varied", "holds at", "open at", "fails at"]
        lines = [
            [*key, *(", ".join(places[sign]) or "–" for sign in (1, 0, -1))]
            for key, places in rows.items()
        ]
        parts.append(f"### {claim}\n\n{table(columns, lines)}")
    return parts


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def summary(findings: Findings) -> list[str]:
    """Counts of the verdicts, and each claim in the paper's own setup."""
    verdicts = [cell.verdict.removesuffix(BELOW) for cell in findings.cells]
    counts = Counter(verdict for verdict in verdicts if verdict not in (UNPRINTED, DEFINED))
    listed = ", ".join(f"{count} × {verdict}" for verdict, count in counts.most_common())
    lines = [f"Of {counts.total()} comparisons with a printed figure: {listed}."]
    for claim, (challenger, base) in zip(CLAIMS, PAIRS, strict=True):
        ours, other = findings.mean(challenger, "mse"), findings.mean(base, "mse")
        verdict = "holds" if ours < other else "does not hold"
        compared = [o for o in findings.outcomes if o.claim == claim.text and o.quantity == MSE]
        wins = sum(outcome.better == 1 for outcome in compared)
        swept = (
            f" In the sweeps it holds in {wins} of {len(compared)} comparisons."
            if compared
            else ""
        )
        lines.append(
            f"*{claim.text}*: {verdict} with these settings "
            f"(test MSE {ours:.4f} against {other:.4f}).{swept}"
        )
    return lines


def explanations(findings: Findings) -> list[str]:
    """Why figures differ from the printed ones, as far as the error floors explain it.

    Each sentence is there only if the numbers say so.
    """
    floors, mean = findings.floors, findings.mean
    pixel, latent = mean("pixel", "mse"), mean("latent", "mse")
    autoencoder, code = mean("latent", "floor"), mean("softmax", "floor")
    lines = []
    least = min(PRINTED["Pixel-MLP"]["mse"], PRINTED["Latent-MLP"]["mse"])
    if floors["wiener"] < least:
        lines.append(
            f"**The printed errors are far above what needs no training.** A closed-form Wiener "
            f"filter gets {floors['wiener']:.4f}, less than every error printed in Tables 1 to 4; "
            f"our Pixel-MLP gets {pixel:.4f}."
        )
    lines += _stopped_early(findings)
    if autoencoder > pixel:
        lines.append(
            f"**The latent predictor cannot win at this noise.** The autoencoder alone, on clean "
            f"images, costs {autoencoder:.4f}; the pixel predictor is already at {pixel:.4f}. "
            f"The latent one gets {latent:.4f}, with "
            f"{mean('pixel', 'parameters') / mean('latent', 'parameters'):.0f} times fewer "
            f"parameters and {mean('pixel', 'cpu_seconds') / mean('latent', 'cpu_seconds'):.1f} "
            "times less time."
        )
    printed = PRINTED["Softmax-64"]["mse"]
    images = {int(k.split("_")[1]): v for k, v in floors.items() if k.startswith("images_")}
    if code > printed:
        known = " and ".join(f"{value:.4f} with {count}" for count, value in images.items())
        lines.append(
            "**The printed error of Softmax-64 is out of reach of one code per image.** Naming "
            f"the nearest of {min(images)} centroids to the *clean* latent costs {code:.4f}, "
            f"{code / printed:.1f} times the printed {printed:.4f}. The latent space is not to "
            "blame: whatever the decoder, choosing among a fixed set of images, even one placed "
            f"by k-means on the pixels, costs about {known} images."
        )
    lines += _products(findings, printed)
    bands = mean("bands 2", "mse")
    if bands > pixel:
        share = findings.band_error("pixel") / pixel
        lines.append(
            "**Splitting by frequency costs more than it saves.** At matched parameters coarse "
            f"to fine gets {bands:.4f} against {pixel:.4f}, three bands "
            f"{mean('bands 3', 'mse'):.4f}. The highest band, where {share:.0%} of the single "
            "shot's error lies, is now predicted by a narrower perceptron."
        )
    return [*lines, _gradients(findings)]


def _stopped_early(findings: Findings) -> list[str]:
    """When the Pixel-MLP passes its printed error, and the error of the Latent-MLP then."""
    if not findings.course:
        return []
    pixel, latent = (_mean_course(findings, name) for name in ("pixel", "latent"))
    printed, other = PRINTED["Pixel-MLP"]["mse"], PRINTED["Latent-MLP"]["mse"]
    step = next((step for step, mse in pixel.items() if mse <= printed), None)
    if step is None or abs(latent[step] - other) > 0.25 * other:
        return []
    epoch = findings.results["pixel"][0].history[0]["step"]
    last = max(pixel)
    return [
        "**The printed Table 1 looks like a training cut short.** Our Pixel-MLP passes the "
        f"printed {printed:.4f} by update {step}, when an epoch of Table 1 has {epoch}; at that "
        f"moment the Latent-MLP is ahead with {latent[step]:.4f}, and {other:.4f} is printed. By "
        f"update {last} they are at {pixel[last]:.4f} and {latent[last]:.4f}."
    ]


def _mean_course(findings: Findings, name: str) -> dict[int, float]:
    """Test error by number of updates, mean over seeds."""
    histories = [result.history for result in findings.course[name]]
    return {
        rows[0]["step"]: fmean(r["mse"] for r in rows) for rows in zip(*histories, strict=True)
    }


def _products(findings: Findings, printed: float) -> list[str]:
    """The number of groups whose product code comes nearest to the printed error."""
    found = [o for o in findings.outcomes if o.sweep == "groups" and o.quantity.key == "mse"]
    if not found:
        return []
    best = min(found, key=lambda o: abs(o.ours.mean - printed))
    averaged = next(
        o
        for o in findings.outcomes
        if o.sweep == "groups" and o.quantity.key == "mse_mean" and o.value == best.value
    )
    return [
        f"**A product of codebooks comes nearest.** {best.value:g} groups of codes get "
        f"{best.ours.mean:.4f} decoded by the likeliest codes and {averaged.ours.mean:.4f} by "
        "their posterior mean, in the shorter runs of the sweep; regression gets "
        f"{best.base.mean:.4f} there."
    ]


def _gradients(findings: Findings) -> str:
    """Why the variances of gradient norms cannot be compared."""
    names = {"regression": "latent", "Softmax-64": "softmax", "Bitwise-8": "book"}
    settled = ", ".join(
        f"{label} {findings.mean(name, 'grad_cv_settled'):.3f}" for label, name in names.items()
    )
    drop = findings.mean("latent", "grad_var") / findings.mean("latent", "grad_var_settled")
    return (
        "**A variance of gradient norms compares nothing across losses.** It grows with the "
        "square of the loss's scale, and the scale of an autoencoder's latents is arbitrary. And "
        f"it is mostly the first steps: for regression the second half of training has {drop:.0f} "
        f"times less of it. Relative to the mean norm, that half has: {settled}."
    )


def consistency(findings: Findings) -> list[str]:
    """Where the printed figures contradict one another."""
    lines = []
    for label, name in (("Pixel-MLP", "pixel"), ("Latent-MLP", "latent")):
        mse, psnr = PRINTED[label]["mse"], PRINTED[label]["psnr"]
        implied = -10 * math.log10(mse)
        gap = findings.mean(name, "psnr_images") - findings.mean(name, "psnr")
        lines.append(
            f"{label}: an MSE of {mse:.4f} is a PSNR of {implied:.1f} dB; printed is {psnr:.1f}, "
            f"{psnr - implied:.1f} dB more. Averaging the PSNR of single images instead adds "
            f"{gap:.1f} dB in our runs, which "
            + ("explains it." if psnr - implied <= gap + 0.1 else "does not explain it.")
        )
    pixel, single = PRINTED["Pixel-MLP"], PRINTED["Single shot"]
    band = 10 ** (-single["hf_psnr"] / 10)
    ours = findings.band_error("pixel") / findings.mean("pixel", "mse")
    return [
        *lines,
        "The Latent-MLP of Table 1 and the regression head of Table 2 are the same experiment, "
        f"printed as {PRINTED['Latent-MLP']['mse']:.4f} and {PRINTED['Regression']['mse']:.4f}.",
        "The Pixel-MLP of Table 1 and the single shot of Table 3 are the same experiment, printed "
        f"as {pixel['mse']:.4f} with {pixel['epochs']:.0f} epochs to the target and "
        f"{single['mse']:.4f} with {single['epochs']:.0f}.",
        f"A single-shot HF-PSNR of {single['hf_psnr']:.1f} dB is an error of {band:.4f} in the "
        f"high band alone, {band / single['mse']:.0%} of the printed total; the largest possible "
        f"share is {findings.floors['high_band_gain']:.0%}, ours is {ours:.0%}.",
    ]
