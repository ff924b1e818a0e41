"""What a check of equivariance found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphs.invariance.comparison import Error
from graphs.invariance.exchangeability import Exchangeability, ExchangeabilityError


@dataclass(frozen=True)
class Report:
    """Worst errors of a module over all relabellings.

    Args:
        kind: "equivariance" or "invariance".
        absolute: Largest absolute error.
        relative: Largest absolute error over the largest entry of its tensor.
        trials: Relabellings tried.
    """

    kind: str
    absolute: float
    relative: float
    trials: int


@dataclass(frozen=True)
class Breakage:
    """The smallest change that shows a failure.

    Args:
        graph: Its index in the batch.
        nodes: Of that graph.
        tied: Whether its nodes were given equal features, on a cycle.
        start: The labelling it starts from: node r is node `start[r]` as given.
        change: In words.
        permutation: Then node r becomes what node `permutation[r]` was; the identity where it is
            the padding that matters.
        error: That it makes.
        submodule: The first one that breaks, and its class; "" if it could not be singled out.
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
        plain = tuple(range(self.nodes))
        start = "" if self.start == plain else f" relabelled by {list(self.start)}"
        swap = "" if self.permutation == plain else f", permutation {list(self.permutation)}"
        where = self.submodule or "not told by the submodules' inputs and outputs"
        return (
            f"Smallest failing change: {graph}{start}, {self.change}{swap}: absolute error "
            f"{self.error.absolute:.3g}.\nFirst broken: {where}."
        )


class PermutationError(AssertionError):
    """A module that is not equivariant, or not invariant, or whose outputs do not tell.

    Args:
        name: Of the module.
        report: Worst errors.
        why: What is wrong, in words.
        breakage: The smallest failing change; None if no graph fails alone.
    """

    def __init__(
        self,
        name: str,
        report: Report,
        why: str,
        breakage: Breakage | None = None,
    ) -> None:
        self.report, self.breakage = report, breakage
        lacks = {"equivariance": "equivariant", "invariance": "invariant"}[report.kind]
        super().__init__(f"{name} is not permutation {lacks}: {why}")


Outcome = Report | Exchangeability


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Args:
        part: What was checked.
        outcome: What was found; None if that is not known.
        failure: Why it failed; "" if it passed.
    """

    part: str
    outcome: Outcome | None
    failure: str = ""


def failed(part: str, error: AssertionError) -> Check:
    """The line of a check that failed."""
    found = error.report if isinstance(error, PermutationError | ExchangeabilityError) else None
    return Check(part, found, str(error) or "assertion failed")


def table(checks: Sequence[Check]) -> str:
    """Part, kind, worst errors or p-value, and verdict, in Markdown.

    >>> print(table([Check("encoder", Report("equivariance", 2e-7, 1e-7, 8))]))
    | part    | kind         | worst absolute | relative | p-value (power) | verdict |
    |---------|--------------|----------------|----------|-----------------|---------|
    | encoder | equivariance | 2.0e-07        | 1.0e-07  |                 | pass    |
    """
    head = ("part", "kind", "worst absolute", "relative", "p-value (power)", "verdict")
    rows = [head, *((c.part, *_cells(c.outcome), "FAIL" if c.failure else "pass") for c in checks)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def check_model(
    parts: Sequence[tuple[str, Callable[[], Outcome]]], say: Callable[[str], None] = print
) -> bool:
    """Run checks, and print their table and what failed in full.

    Args:
        parts: Name and check of each, e.g.
            `("encoder", lambda: assert_permutation_equivariant(encoder, batch))` or
            `("sampler", lambda: assert_exchangeable(sample))`.
        say: Prints.

    Returns:
        Whether all passed.
    """
    checks = []
    for part, run in parts:
        try:
            checks.append(Check(part, run()))
        except AssertionError as error:
            checks.append(failed(part, error))
    say(table(checks))
    failures = [check for check in checks if check.failure]
    for check in failures:
        say(f"\n{check.part}: {check.failure}")
    return not failures


def _cells(outcome: Outcome | None) -> tuple[str, str, str, str]:
    if isinstance(outcome, Report):
        return outcome.kind, f"{outcome.absolute:.1e}", f"{outcome.relative:.1e}", ""
    if isinstance(outcome, Exchangeability):
        return "exchangeability", "", "", f"{outcome.p_value:.3f} ({outcome.power:.2f})"
    return "", "", "", ""


NamedCheck = tuple[str, Callable[[], Outcome]]
