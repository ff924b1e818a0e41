"""Reports of the checks: worst errors, counterexamples, and a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from graphs.invariance.comparison import Error
from graphs.invariance.exchangeability import (
    Exchangeability,
    ExchangeabilityError,
    UndecidedError,
)
from refine_core.app.progress import Say
from refine_core.app.report import Column, table

Kind = Literal["equivariance", "invariance"]


@dataclass(frozen=True)
class Finding:
    """The worst error that one sort of change makes.

    Args:
        change: "relabelling", "padding" or "order of edges".
        error: The error.
        output: The output that has it, and its level.

    >>> from graphs.invariance import assert_permutation_equivariant, dense_example
    >>> report = assert_permutation_equivariant(lambda x, a, valid: a @ x, dense_example())
    >>> [finding.change for finding in report.findings]
    ['relabelling', 'padding']
    """

    change: str
    error: Error
    output: str = "output"

    def __str__(self) -> str:
        return (
            f"{self.change}: worst absolute error {self.error.absolute:.3g}, relative "
            f"{self.error.relative:.3g}, in {self.output}"
        )


@dataclass(frozen=True)
class Report:
    """What a check of equivariance or invariance found.

    Args:
        kind: Which of the two.
        findings: Findings of relabelling, and of the padding or the order of edges.
        relabellings: How many were tried.
        precision: In which the module was run, e.g. "float64".

    >>> from graphs.invariance import assert_permutation_equivariant, dense_example
    >>> report = assert_permutation_equivariant(lambda x, a, valid: a @ x, dense_example())
    >>> report.kind, report.relabellings, report.precision, report.absolute < 1e-8
    ('equivariance', 8, 'float64', True)
    """

    kind: Kind
    findings: tuple[Finding, ...]
    relabellings: int
    precision: str

    @property
    def absolute(self) -> float:
        """Largest absolute error."""
        return max((finding.error.absolute for finding in self.findings), default=float("inf"))

    @property
    def relative(self) -> float:
        """Largest absolute error over the largest entry of its tensor."""
        return max((finding.error.relative for finding in self.findings), default=float("inf"))

    @property
    def verdict(self) -> str:
        """What a module lacks whose findings exceed the tolerance; "" if none does."""
        wrong = [finding.change for finding in self.findings if finding.error.excess > 1]
        lacking = {"equivariance": "equivariant", "invariance": "invariant"}[self.kind]
        parts = [
            f"is not permutation {lacking}"
            if change == "relabelling"
            else f"depends on the {change}"
            for change in wrong
        ]
        return " and ".join(parts)


@dataclass(frozen=True)
class Counterexample:
    """The smallest graph and change found that show a failure.

    Args:
        graph: Index of the graph in the batch.
        nodes: Its number of nodes.
        tied: Whether its nodes were given equal features, on a cycle.
        start: The labelling it starts from: node k is node `start[k]` as given.
        change: In words.
        permutation: Then node k becomes what node `permutation[k]` was; the identity where it is
            the padding that matters.
        error: That it makes.
        submodule: The first one that breaks, and its class; "" if it could not be singled out.

    >>> import torch
    >>> from graphs.invariance import PermutationError, assert_permutation_invariant, dense_example
    >>> try:
    ...     assert_permutation_invariant(lambda x, *_: x[:, 0], dense_example())
    ... except PermutationError as error:
    ...     found = error.counterexample
    >>> found.graph, found.nodes, found.change, found.permutation
    (7, 4, 'swapping nodes 0 and 1', (1, 0, 2, 3))
    """

    graph: int
    nodes: int
    tied: bool
    start: tuple[int, ...]
    change: str
    permutation: tuple[int, ...]
    error: Error
    submodule: str

    def __str__(self) -> str:
        graph = f"graph {self.graph} ({self.nodes} nodes{', tied' if self.tied else ''})"
        still = tuple(range(self.nodes))
        start = "" if self.start == still else f" relabelled by {list(self.start)}"
        swap = "" if self.permutation == still else f", permutation {list(self.permutation)}"
        where = self.submodule or "unknown from the submodules' inputs and outputs"
        return (
            f"Smallest failing change: {graph}{start}, {self.change}{swap}: absolute error "
            f"{self.error.absolute:.3g}.\nFirst broken: {where}."
        )


class PermutationError(AssertionError):
    """A module that is not equivariant, or not invariant, or whose outputs do not tell.

    Args:
        name: Name of the module.
        report: Worst errors.
        why: What is wrong, in words.
        counterexamples: Counterexamples of each finding that fails, in their order, where one was
            found.

    >>> from graphs.invariance import PermutationError, assert_permutation_invariant, dense_example
    >>> try:
    ...     assert_permutation_invariant(lambda x, *_: x[:, 0], dense_example())
    ... except PermutationError as error:
    ...     print(error)
    <lambda> is not permutation invariant; allowed 1e-10 + 1e-08 x largest entry, 8 relabellings...
    relabelling: worst absolute error 103, relative 64.2, in output (graph level).
    padding: worst absolute error 0, relative 0, in output (graph level).
    Smallest failing change: graph 7 (4 nodes), swapping nodes 0 and 1, permutation [1, 0, 2, 3]...
    First broken: not known, for the callable is no nn.Module.
    """

    def __init__(
        self,
        name: str,
        report: Report,
        why: str,
        counterexamples: Sequence[Counterexample] = (),
    ) -> None:
        self.report, self.counterexamples = report, tuple(counterexamples)
        super().__init__(f"{name} {why}")

    @property
    def counterexample(self) -> Counterexample | None:
        """The first one; None if no graph fails alone."""
        return next(iter(self.counterexamples), None)


Outcome = Report | Exchangeability


@dataclass(frozen=True)
class Check:
    """One row of the table.

    Args:
        part: What was checked.
        outcome: What was found; None if that is not known.
        failure: Why it failed; "" if it passed.
        verdict: "pass", "FAIL", or "undecided" if the samples were too few to tell.

    >>> from graphs.invariance import Check, check_table
    >>> print(check_table([Check("encoder", None, "no batch to try it on", "FAIL")]))
    | part | kind | relabelling | padding or edge order | precision | p-value (power) | verdict |
    |---|---|---|---|---|---|---|
    | encoder |  |  |  |  |  | FAIL |
    """

    part: str
    outcome: Outcome | None
    failure: str = ""
    verdict: Literal["pass", "FAIL", "undecided"] = "pass"


NamedCheck = tuple[str, Callable[[], Outcome]]


def failed(part: str, error: AssertionError) -> Check:
    """The row of a check that failed, or could not be decided."""
    outcome = error.report if isinstance(error, PermutationError | ExchangeabilityError) else None
    verdict: Literal["FAIL", "undecided"] = "FAIL"
    if isinstance(error, UndecidedError):
        verdict = "undecided"
    return Check(part, outcome, str(error) or "assertion failed", verdict)


def check_table(checks: Sequence[Check]) -> str:
    """Part, kind, worst absolute errors or p-value, and verdict, in Markdown.

    >>> findings = (Finding("relabelling", Error(0, 2e-7)), Finding("padding", Error()))
    >>> report = Report("equivariance", findings, 8, "float32")
    >>> print(check_table([Check("encoder", report)]).splitlines()[-1])
    | encoder | equivariance | 2.0e-07 | 0.0e+00 | float32 |  | pass |
    """
    columns: list[Column | str] = [
        *("part", "kind", Column("relabelling", form=".1e")),
        *(Column("padding or edge order", form=".1e"), "precision", "p-value (power)", "verdict"),
    ]
    return table(columns, [_row(check) for check in checks])


def run_checks(checks: Sequence[NamedCheck]) -> list[Check]:
    """Run checks, each of which passes, or raises an AssertionError.

    Args:
        checks: Name of each part and its check, see `check_model`.

    Returns:
        A row of each.

    >>> from graphs.invariance import assert_permutation_equivariant, dense_example, run_checks
    >>> batch = dense_example()
    >>> sums = lambda: assert_permutation_equivariant(lambda x, a, valid: a @ x, batch)
    >>> first = lambda: assert_permutation_equivariant(lambda x, a, valid: x - x[:, :1], batch)
    >>> [(row.part, row.verdict) for row in run_checks([("sums", sums), ("first", first)])]
    [('sums', 'pass'), ('first', 'FAIL')]
    """
    rows = []
    for part, run in checks:
        try:
            rows.append(Check(part, run()))
        except AssertionError as error:
            rows.append(failed(part, error))
    return rows


def check_model(checks: Sequence[NamedCheck], say: Say = print) -> bool:
    """Run checks, and print their table and what did not pass in full.

    Args:
        checks: Name of each part and its check, e.g.
            `("encoder", lambda: assert_permutation_equivariant(encoder, batch))` or
            `("sampler", lambda: assert_exchangeable(sample))`.
        say: Prints.

    Returns:
        Whether all passed.

    >>> from graphs.invariance import assert_permutation_equivariant, check_model, dense_example
    >>> batch = dense_example()
    >>> sums = lambda: assert_permutation_equivariant(lambda x, a, valid: a @ x, batch)
    >>> first = lambda: assert_permutation_equivariant(lambda x, a, valid: x - x[:, :1], batch)
    >>> check_model([("sums", sums), ("first", first)], say=lambda text: None)
    False
    """
    return say_checks(run_checks(checks), say)


def say_checks(rows: Sequence[Check], say: Say = print) -> bool:
    """Print the table of checks, and what did not pass in full.

    Args:
        rows: Rows of the table, as `run_checks` makes them.
        say: Prints.

    Returns:
        Whether all passed.

    >>> from graphs.invariance import Check, say_checks
    >>> say_checks([Check("encoder", None, "It needs a batch of two graphs or more.", "FAIL")])
    | part | kind | relabelling | padding or edge order | precision | p-value (power) | verdict |
    |---|---|---|---|---|---|---|
    | encoder |  |  |  |  |  | FAIL |
    <BLANKLINE>
    encoder: It needs a batch of two graphs or more.
    False
    """
    say(check_table(rows))
    failures = [row for row in rows if row.failure]
    for row in failures:
        say(f"\n{row.part}: {row.failure}")
    return not failures


def _row(check: Check) -> dict[str, object]:
    row: dict[str, object] = {"part": check.part, "verdict": check.verdict}
    if isinstance(check.outcome, Report):
        errors = [finding.error.absolute for finding in check.outcome.findings]
        names = ("relabelling", "padding or edge order")
        row |= dict(zip(names, errors, strict=False))
        row |= {"kind": check.outcome.kind, "precision": check.outcome.precision}
    elif isinstance(check.outcome, Exchangeability):
        power = f"{check.outcome.power:.2f}" if check.outcome.distinguishable else "one labelling"
        row |= {
            "kind": "exchangeability",
            "p-value (power)": f"{check.outcome.p_value:.3f} ({power})",
        }
    return row
