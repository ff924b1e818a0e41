"""What training and calls change: two tables of a study's report."""

import math
from statistics import fmean
from typing import cast

from images.study.findings.results import ArmResults, Findings
from images.study.findings.statistics import Interval
from refine_core.app.report import Column, table

DOUBLING = "last doubling"


def learning(findings: Findings) -> str:
    """Distances along the training, and by what the last doubling of it changes them."""
    rows, shares = list[dict[str, object]](), set[str]()
    for arm in findings:
        curve = arm.curve().items()
        found = {step: Interval.of([*each.values()], ratio=True) for step, each in curve}
        last = max(found, default=0)
        at = {f"{step / last:.0%}": interval.mean for step, interval in found.items()}
        shares |= at.keys()
        doubling = at["100%"] / at["50%"] if {"50%", "100%"} <= at.keys() else None
        rows.append({"arm": arm.label, **at, DOUBLING: doubling})
    if not shares:
        return ""
    columns: list[Column | str] = ["arm"]
    in_order = sorted(shares, key=lambda share: float(share[:-1]))
    columns += [Column(share, form=three_digits) for share in in_order]
    columns.append(Column(DOUBLING, form=".2f"))
    text = (
        "Frechet distance of unguided samples to held-out images after shares of the training, by "
        f"the first sampler of the most calls up to {findings.config.tuning.calls} (DDPM; Euler). "
        "*Last doubling* is that after the whole over that after half of it: the smaller, the "
        "more an arm stands to gain from longer training."
    )
    return f"{text}\n\n{table(columns, rows, missing='–')}"


def energy(findings: Findings) -> str:
    """Both energies at their ends, and how many calls lower them."""
    rows = [row for arm in findings if (row := _energy_row(arm)) is not None]
    if not rows:
        return "No results yet."
    level = "" if findings.real is None else f" (real images {findings.real['energy']:.2f})"
    text = (
        "The *error* is E |x - m(s)|^2 per pixel of a test image x, with m(s) what the arm "
        "expects of it after some calls of its forward process, without guidance; a call *raises* "
        "it where it does by more than two standard errors over images. The *energy* of a sample "
        "of class c is the squared Mahalanobis distance of its features from those of real "
        f"images of the class, per feature{level}; the image after a call is the one that "
        "sampling would give if it stopped there. Energy below that of real images is no better: "
        "such a sample is nearer to the mean of its class than images are. Diffusion of latents "
        "draws nothing: its error is that of the image decoded of the expected latents, which is "
        "larger than that of the expected image where much is open. Samplers that reveal the "
        "digits they are surest of see other states than the forward process, which reveals any."
    )
    columns: list[Column | str] = [
        "arm",
        "calls",
        Column("error before", form=".4f"),
        Column("error after", form=".4f"),
        "calls that raise it",
        Column("energy, first call", form=".3g"),
        Column("energy, last", form=".3g"),
        "calls that lower it",
        Column("least share of samples whose energy falls", form=".0%"),
    ]
    return f"{text}\n\n{table(columns, rows, missing='–')}"


def _energy_row(arm: ArmResults) -> list[object] | None:
    parts = list(arm.part("energy").values())
    if not parts:
        return None

    def mean(key: str) -> list[float]:
        found = [cast(list[float | None], part.get(key) or []) for part in parts]
        columns = zip(*found, strict=False)
        return [fmean(math.nan if v is None else v for v in column) for column in columns]

    error, decrease, spread = (mean(key) for key in ("error", "decrease", "decrease_error"))
    raised = sum(d < -2 * e for d, e in zip(decrease, spread, strict=True))
    energy, fell = mean("mean"), mean("fell")
    lowered = sum(b <= a for a, b in zip(energy[:-1], energy[1:], strict=True))
    return [
        arm.label,
        len(energy),
        error[0] if error else None,
        error[-1] if error else None,
        f"{raised} of {len(decrease)}" if decrease else None,
        energy[0],
        energy[-1],
        f"{lowered} of {len(energy) - 1}",
        min(fell) if fell else None,
    ]


def three_digits(value: float) -> str:
    """A distance of three digits, or of as many as it has before the point.

    >>> three_digits(123.4), three_digits(1.234)
    ('123', '1.23')
    """
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
