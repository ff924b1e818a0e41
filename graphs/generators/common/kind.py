"""What the rest of the domain asks of a kind of generator."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.config import SamplingConfig, SamplingOptions
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.invariance.report import NamedCheck
from refine_core.errors import InputError


@dataclass(frozen=True)
class Names:
    """Names by which weights of one model fit another.

    Args:
        vocabulary: Labels of nodes and edges.
        properties: Properties of the context.
    """

    vocabulary: Vocabulary
    properties: tuple[str, ...] = ()


class GeneratorKind(ABC):
    """One kind of generator, made from its config; `graphs.generators.kinds` lists all of them.

    The likelihood of graphs is the `code_log_prob` of the refiner that a kind builds.
    """

    @abstractmethod
    def build(self, statistics: GraphStatistics, properties: int = 0) -> GraphRefiner:
        """An untrained refiner.

        Args:
            statistics: Statistics of the training graphs.
            properties: Count of the properties that it is conditioned on.

        Raises:
            InputError: The kind takes no such graphs, or no properties.
        """

    @abstractmethod
    def symmetry_checks(
        self, refiner: GraphRefiner, batch: GraphBatch, seed: int
    ) -> list[NamedCheck]:
        """Checks that each part of a refiner treats nodes as a set.

        Args:
            refiner: Refiner of this kind.
            batch: Graphs with its labels.
            seed: Seed of relabellings.
        """

    def prepare(self, refiner: GraphRefiner, sampling: SamplingConfig) -> None:  # noqa: B027
        """Set a refiner up for sampling; most need nothing."""

    def alternatives(self, calls: Sequence[int]) -> dict[str, SamplingOptions]:
        """Settings that make different numbers of network calls, by name, fewest first.

        There is one where the number of calls follows from the graphs.

        Args:
            calls: Wanted numbers, where they are free.
        """
        return {"as trained": {}}

    def transferred(
        self,
        own: Mapping[str, Tensor],
        given: Mapping[str, Tensor],
        ours: Names,
        theirs: Names,
    ) -> dict[str, Tensor]:
        """Weights of another model, fitted to our labels and properties where the kind can.

        Args:
            own: Our weights by name.
            given: Theirs.
            ours: Our labels and properties.
            theirs: Theirs.
        """
        return dict(given)


def refuse_directed(kind: str, statistics: GraphStatistics) -> None:
    """Refuse graphs whose edges have a direction.

    Raises:
        InputError: They have.
    """
    if statistics.vocabulary.directed:
        raise InputError(
            f"A generator of kind {kind!r} takes no directed graphs: set `model.kind` to "
            "contraction and `model.edge_tokens` to none."
        )
