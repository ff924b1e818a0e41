"""Valence limits: the largest total of edge weights at a node of each label in training.

Of molecules, edge weights are bond orders, so the limit is a valence, learnt and not looked up.
The slack of a node, or of a cluster of nodes, is its limit less what its edges use; like every sum
it is divided exactly when a cluster splits, so a graph exceeds no limit if no split leaves a child
without slack.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary

ORDERS = {"SINGLE": 2, "AROMATIC": 3, "DOUBLE": 4, "TRIPLE": 6}
"""Weights of bonds: twice their order, so that all are whole; other edges weigh 2."""
REDRAWS = 8
"""Times that a graph is drawn again, at most."""


@dataclass(frozen=True)
class ValenceLimits:
    """Largest totals of edge weights.

    Args:
        capacity: T of them, one per node label.
        weight: O weights, one per edge label.
        most: Largest counts of edges of each label at a node of each label, T of O; none if they
            are not known.
    """

    capacity: tuple[int, ...]
    weight: tuple[int, ...]
    most: tuple[tuple[int, ...], ...] = ()

    def tables(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Capacities (T,), weights (O,) and largest counts (T, O), int64."""
        capacity, weight, most = self._tables
        return capacity.to(device), weight.to(device), most.to(device)

    @cached_property
    def _tables(self) -> tuple[Tensor, Tensor, Tensor]:
        return torch.tensor(self.capacity), torch.tensor(self.weight), torch.tensor(self.most)

    def exceeded(self, graphs: GraphBatch) -> Tensor:
        """(b,) bool, graphs with a node that exceeds its limits."""
        capacity, weight, most = self.tables(graphs.nodes.device)
        table = torch.cat([weight.new_zeros(1), weight])
        wrong = table[graphs.edges].sum(2) > capacity[graphs.nodes]
        if self.most:
            kinds = range(1, len(self.weight) + 1)
            counts = torch.stack([(graphs.edges == kind).sum(2) for kind in kinds], 2)
            wrong |= (counts > most[graphs.nodes]).any(2)
        return (wrong & graphs.valid).any(1)

    @classmethod
    def of(cls, batches: Iterable[GraphBatch], vocabulary: Vocabulary) -> "ValenceLimits":
        """The limits that some graphs keep."""
        weight = tuple(ORDERS.get(name, 2) for name in vocabulary.edges)
        table = torch.tensor((0, *weight))
        labels, kinds = len(vocabulary.nodes), len(weight)
        most = torch.zeros(kinds + 1, labels, dtype=torch.int64)
        for graphs in batches:
            label, edges = graphs.nodes[graphs.valid], graphs.edges[graphs.valid]
            totals = [table[edges].sum(1), *((edges == e + 1).sum(1) for e in range(kinds))]
            for row, total in zip(most, totals, strict=True):
                row.scatter_reduce_(0, label, total, "amax")
        capacity, *each = most.tolist()
        return cls(tuple(capacity), weight, tuple(zip(*each, strict=True)))


def draw_again(
    parts: list[GraphBatch], limits: ValenceLimits, draw: Callable[[Tensor, int], GraphBatch]
) -> None:
    """Put others in the place of graphs that exceed limits.

    Splits and labels that exceed limits are drawn again one by one, but some cannot but exceed
    them after those before. So samples follow the law given the limits.

    Args:
        parts: Graphs, some of which are replaced.
        limits: Of their nodes.
        draw: Draws the graphs at given places (b,) among those of all parts, for the n-th time
            again, n from 1 on.
    """
    for turn in range(1, REDRAWS + 1):
        wrong = [limits.exceeded(part) for part in parts]
        at = torch.cat(wrong).nonzero()[:, 0]
        if not len(at):
            return
        graphs, start = draw(at, turn), 0
        for number, rows in enumerate(wrong):
            if found := int(rows.sum()):
                order = torch.arange(len(rows))
                order[rows] = len(rows) + torch.arange(found)
                both = [parts[number], graphs[start : start + found]]
                parts[number], start = GraphBatch.joined(both)[order], start + found
