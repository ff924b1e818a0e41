"""Facts about the training graphs that a generator is built from."""

from dataclasses import dataclass

from graphs.data.batch import Vocabulary
from graphs.data.store import GraphStore
from graphs.datasets.statistics import (
    all_acyclic,
    all_connected,
    batches,
    largest_size,
    max_counts,
    node_sizes,
)
from graphs.generators.common.sizes import SizeLimit
from graphs.generators.common.valence import ValenceLimits

LEAST_BYTES, PAIR_BYTES = 500, 16
"""What a graph takes in memory, at least, and each pair of its nodes."""


@dataclass(frozen=True)
class GraphStatistics:
    """What a generator knows of its graphs before any training.

    Args:
        vocabulary: Their labels.
        max_counts: Largest count of nodes of each label, then of edges of each label, in a graph.
        connected: Whether every graph is in one piece.
        sizes: Count of graphs of 0, 1, ... nodes.
        valence_limits: Largest total of edge weights at a node of each label; None if unknown.
        acyclic: Whether every graph is directed and has no cycle.
        largest: Nodes of the largest graph, of which a fragment counts as many as it has atoms;
            None if unknown, as of older models: then `max_counts` alone bound a graph.
    """

    vocabulary: Vocabulary
    max_counts: tuple[int, ...]
    connected: bool = True
    sizes: tuple[int, ...] = ()
    valence_limits: ValenceLimits | None = None
    acyclic: bool = False
    largest: int | None = None

    @classmethod
    def of(cls, store: GraphStore) -> "GraphStatistics":
        """The statistics of the graphs of a store."""
        return cls(
            store.vocabulary,
            max_counts(store),
            all_connected(store),
            tuple(store.sizes.bincount().tolist()),
            ValenceLimits.of(batches(store), store.vocabulary),
            all_acyclic(store),
            largest_size(store),
        )

    def memory(self, count: int) -> int:
        """Bytes that so many graphs take, padded to one size and joined."""
        pairs = sum(n**2 * times for n, times in enumerate(self.sizes)) / max(1, sum(self.sizes))
        return count * int(max(LEAST_BYTES, PAIR_BYTES * pairs))

    @property
    def size_limit(self) -> SizeLimit | None:
        """What bounds the size of a sample; None if that is unknown."""
        if self.largest is None:
            return None
        return SizeLimit(self.largest, tuple(node_sizes(self.vocabulary).tolist()))
