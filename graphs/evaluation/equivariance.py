"""Checks that a trained model does not depend on the order of nodes: its parts and its samples."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

from graphs.invariance.examples import graph_example
from graphs.invariance.exchangeability import Exchangeability, assert_exchangeable
from graphs.invariance.report import Check, Report, check_table, run_checks, say_checks
from graphs.model import GraphModel
from refine_core.app.html import KeyFigure, Page, Section, Text, write_page

READING = """
- *relabelling*, *padding or edge order*: the largest difference that a change of the order of
  nodes, of the padding or of the order of edges makes in an output of the part, once the order is
  changed back. Rounding is all that may be left of it.
- *exchangeability*: the samples are compared with random relabellings of themselves; the p-value
  is that of no difference in law. The power, in brackets, is the chance that the test would have
  noticed if the nodes of some samples came sorted.
"""


def check_equivariance(
    model: GraphModel, *, draws: int = 2000, seed: int = 0, out: Path | None = None
) -> bool:
    """Print a table of errors and p-values; whether the order of nodes plays no part.

    Args:
        model: To check, its network on the CPU.
        draws: Graphs to sample for the test of exchangeability.
        seed: Seed of relabellings and samples.
        out: Folder for report.html; by default none is written.
    """
    fragments = model.vocabulary.has_fragments
    # Random labels and sites of fragments make no molecule, and have no likelihood.
    batch = model.sample(12, seed=seed) if fragments else graph_example(model.vocabulary, seed)
    checks = model.kind.symmetry_checks(deepcopy(model.refiner).cpu(), batch, seed)
    sampler = ("sampler", lambda: assert_exchangeable(lambda s: model.sample(draws, seed=s)))
    rows = run_checks([*checks, sampler])
    if out is not None:
        title = f"Invariance of a model of {Path(model.config.data.source).stem}"
        write_page(out / "report.html", invariance_page(title, rows))
    return say_checks(rows)


def invariance_page(title: str, rows: Sequence[Check]) -> Page:
    """A page on checks: whether all passed, what each found, and what did not pass in full."""
    passed = sum(row.verdict == "pass" for row in rows)
    wrong = [f"{row.part} ({row.verdict})" for row in rows if row.verdict != "pass"]
    verdict = f"**All {passed} checks passed**: the order of nodes plays no part."
    if wrong:
        verdict = f"**{len(wrong)} of {len(rows)} checks did not pass**: {', '.join(wrong)}."
    sections = [Section("Checks", [Text(check_table(rows))])]
    if failures := [row for row in rows if row.failure]:
        texts = [Text(f"### {row.part}\n\n```\n{row.failure}\n```") for row in failures]
        sections.append(Section("What did not pass", texts))
    return Page(
        title=title,
        kind="refine graphs invariance",
        verdict=verdict,
        figures=[KeyFigure("checks passed", f"{passed} of {len(rows)}"), *_key_figures(rows)],
        sections=[*sections, Section("How to read it", [Text(READING)])],
    )


def _key_figures(rows: Sequence[Check]) -> list[KeyFigure]:
    """The largest error of all parts, and the p-value of the sampler."""
    figures = []
    if reports := [row.outcome for row in rows if isinstance(row.outcome, Report)]:
        worst = max(reports, key=lambda report: report.absolute)
        precision = f"in {worst.precision}, {worst.relabellings} relabellings"
        figures.append(KeyFigure("largest error", f"{worst.absolute:.1e}", beside=precision))
    for row in rows:
        if isinstance(row.outcome, Exchangeability):
            found = row.outcome
            figures.append(
                KeyFigure(
                    f"p-value of the {row.part}",
                    f"{found.p_value:.3f}",
                    beside=f"{found.graphs} graphs, rejected below {found.alpha:g}",
                )
            )
    return figures
