"""Valence limits: the largest total of edge weights at a node of each label in training.

Of molecules, edge weights are bond orders, so the limit is a valence, learnt and not looked up.
The slack of a node, or of a cluster of nodes, is its limit less what its edges use; like every sum
it is divided exactly when a cluster splits, so a graph exceeds no limit if no split leaves a child
without slack.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from graphs.data.batch import GraphBatch, Vocabulary

ORDERS = {"SINGLE": 2, "AROMATIC": 3, "DOUBLE": 4, "TRIPLE": 6}
"""Weights of bonds: twice their order, so that all are whole; other edges weigh 2."""


@dataclass(frozen=True)
class ValenceLimits:
    """Largest totals of edge weights.

    Args:
        capacity: T of them, one per node label.
        weight: O weights, one per edge label.
    """

    capacity: tuple[int, ...]
    weight: tuple[int, ...]

    @classmethod
    def of(cls, batches: Iterable[GraphBatch], vocabulary: Vocabulary) -> "ValenceLimits":
        """The limits that some graphs keep."""
        weight = tuple(ORDERS.get(name, 2) for name in vocabulary.edges)
        table = torch.tensor((0, *weight))
        most = torch.zeros(len(vocabulary.nodes), dtype=torch.int64)
        for graphs in batches:
            total = table[graphs.edges].sum(2)[graphs.valid]
            most = most.scatter_reduce(0, graphs.nodes[graphs.valid], total, "amax")
        return cls(tuple(most.tolist()), weight)
