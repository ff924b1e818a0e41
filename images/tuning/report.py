"""The table of a comparison: every method off and on, over seeds, with its cost."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from scipy import stats

from images.tuning.comparison import Row
from images.tuning.config import MethodsConfig
from refine_core.app.report import Column, table

SCORES = {
    "recall": "{:.3f}",
    "precision": "{:.3f}",
    "accuracy": "{:.2%}",
    "bits": "{:.1f}",
    "calls": "{:.1f}",
    "ms": "{:.2f}",
    "parameters": "{:,.0f}",
}
"""Columns, and how their numbers are written."""


def markdown(config: MethodsConfig, rows: Mapping[str, Sequence[Row]]) -> str:
    """A line about the comparison, and its table.

    Args:
        config: What was compared.
        rows: Scores of each arm, one row a seed; differences are to the first arm.
    """
    first = next(iter(rows))
    cells = [_cells(name, each, rows[first]) for name, each in rows.items()]
    columns = [
        Column("method"),
        *(Column(title, align="right") for title in ("distance", "ratio", f"against {first}")),
        *(Column(title, align="right") for title in [*SCORES, "training"]),
    ]
    about = (
        f"{len(config.seeds)} seeds, {config.samples} samples. distance: Frechet distance to test "
        "images, ratio: over that of the tokeniser's reconstructions; mean and standard deviation "
        f"over seeds. against {first}: change of the distance, paired by seed, with the 95 % "
        "interval of its mean. bits: negative log-likelihood of the test images' codes. calls: of "
        "transformers for a sample, counted as made; guided ones are two, and those of smaller "
        "networks count alike. ms: of an image, on one thread. parameters: of the "
        "generator; training: its minutes."
    )
    return "\n\n".join([*([config.note] if config.note else []), about, table(columns, cells)])


def _cells(name: str, rows: Sequence[Row], base: Sequence[Row]) -> list[str]:
    distances = [row["frechet"] for row in rows]
    ratios = [row["frechet"] / row["tokenizer_frechet"] for row in rows]
    changes = [row["frechet"] - other["frechet"] for row, other in zip(rows, base, strict=True)]
    minutes = [row["training_seconds"] / 60 for row in rows]
    return [
        name,
        _spread(distances, "{:.3f}"),
        _spread(ratios, "{:.2f}"),
        "" if rows is base else _interval(changes),
        *(_spread([row[score] for row in rows], form) for score, form in SCORES.items()),
        _spread(minutes, "{:.1f}"),
    ]


def _spread(values: Sequence[float], form: str) -> str:
    """Mean and standard deviation."""
    mean = form.format(fmean(values))
    return mean if len(values) < 2 else f"{mean} ± {form.format(stdev(values))}"


def _interval(changes: Sequence[float]) -> str:
    """Mean and half the width of its 95 % interval, by Student's t."""
    mean = f"{fmean(changes):+.3f}"
    if len(changes) < 2:
        return mean
    half = float(stats.t.ppf(0.975, len(changes) - 1)) * stdev(changes) / len(changes) ** 0.5
    return f"{mean} ± {half:.3f}"
