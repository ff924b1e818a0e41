"""What can be: splits after which no node is sure to have more edges than any node seen.

Each node label has a capacity, the largest total of edge weights met at a node of that label in
training (of molecules, bond orders: a valence, learnt and not looked up). A cluster's slack is the
capacity of its nodes less what its edges use; like every sum it is divided exactly, so a graph
exceeds no capacity if no split leaves a half without slack. Nor may more edges join two clusters
than they have pairs of nodes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.contraction.divide import divide
from graphs.generators.contraction.state import Partition

ORDERS = {"SINGLE": 2, "AROMATIC": 3, "DOUBLE": 4, "TRIPLE": 6}
"""Weights of bonds: twice their order, so that all are whole; other edges weigh 2."""


@dataclass(frozen=True)
class Support:
    """Largest totals of edge weights.

    Args:
        capacity: T of them, one per node label.
        weight: O weights, one per edge label.
    """

    capacity: tuple[int, ...]
    weight: tuple[int, ...]

    @classmethod
    def of(cls, batches: Iterable[GraphBatch], vocabulary: Vocabulary) -> "Support":
        """Of graphs seen."""
        weight = tuple(ORDERS.get(name, 2) for name in vocabulary.edges)
        table = torch.tensor((0, *weight))
        most = torch.zeros(len(vocabulary.nodes), dtype=torch.int64)
        for graphs in batches:
            total = table[graphs.edges].sum(2)[graphs.valid]
            most = most.scatter_reduce(0, graphs.nodes[graphs.valid], total, "amax")
        return cls(tuple(most.tolist()), weight)

    def slack(self, state: Partition) -> Tensor:
        """(b, m) int64 capacity that each cluster's edges leave."""
        capacity = torch.tensor(self.capacity, device=state.valid.device)
        weight = torch.tensor(self.weight, device=state.valid.device)
        used = ((2 * state.inner + state.outer) * weight).sum(2)
        return (state.nodes * capacity).sum(2) - used

    def violated(self, state: Partition, code: Tensor) -> Tensor:
        """(b, m) bool, clusters of `state` whose split by `code` leaves the support."""
        after = divide(state, code)
        wrong = (self.slack(after) < 0) & after.valid
        sizes = after.sizes
        wrong = wrong | (after.edge_counts > sizes[:, :, None] * sizes[:, None]).any(2)
        if not state.started:
            return wrong
        fresh = state.valid.sum(1)[:, None] + state.split.cumsum(1) - 1
        second = wrong.gather(1, fresh.clamp(min=0))
        return (wrong[:, : state.valid.shape[1]] | second) & state.split
