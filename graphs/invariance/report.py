"""What a check of equivariance found."""

from dataclasses import dataclass

from graphs.invariance.outputs import Error


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
