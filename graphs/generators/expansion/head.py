"""From hidden states of clusters to how they split: which edges there are."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.generators.expansion.count_laws import NEVER
from graphs.generators.expansion.distribution import ExpansionDistribution, ExpansionLogits
from graphs.generators.expansion.neighbours import CONTEXT, LABELS, Neighbours
from graphs.generators.expansion.state import CoarseGraph

KNOTS = 16  # of the logits of the first child's share of nodes, linear in between
SMALL = 6  # all larger sizes have the same one-hot digit


class ExpansionHead(nn.Module, ExpansionLogits):
    """The nodes of the first child, and the states of edges; which edges there are is abstract.

    Args:
        dim: Width d.
        connected: Whether the children of a cluster are always joined.
        width: See `ExpansionLogits`.
        facts: Count of features of each cluster that splits.

    Attributes:
        ring: See `Neighbours.of`.
    """

    ring = True

    def __init__(self, dim: int, connected: bool, width: int, facts: int) -> None:
        super().__init__()
        self.connected, self.width = connected, width
        self.wide = 2 * dim  # of the states of edges
        self.share = nn.Linear(dim, KNOTS)
        self.own, self.other = nn.Linear(dim, self.wide), nn.Linear(dim, self.wide)
        self.facts = nn.Linear(facts, self.wide)

    def forward(
        self, hidden: Tensor, state: CoarseGraph, k: int, valid: Tensor | None = None
    ) -> ExpansionDistribution:
        """Distribution of the codes of scale k."""
        return ExpansionDistribution(self, state, hidden, Neighbours.of(state, k, self.ring))

    def size_logits(self, own: Tensor, size: Tensor) -> Tensor:
        """(r, s) logits of 0, 1, ... nodes in the first child, half of them or more.

        Args:
            own: (r, d) hidden states of clusters.
            size: (r,) int64, their nodes, s at most.
        """
        first = torch.arange(int(size.max()), device=size.device)
        share = (2 * first / size[:, None] - 1).clamp(0, 1)
        inside = (2 * first >= size[:, None]) & (first < size[:, None])
        return interpolated(self.share(own), share).masked_fill(~inside, NEVER)

    def _edge_states(self, hidden: Tensor, neighbours: Neighbours, facts: Tensor) -> Tensor:
        """(r, d, 2 dim), from hidden states (b, m, dim) and features of clusters (r, f)."""
        own = self.own(hidden[neighbours.graph, neighbours.cluster]) + self.facts(facts)
        other = self.other(hidden)[neighbours.graph[:, None], neighbours.index]
        states: Tensor = own[:, None] + other
        return states


class AssignmentHead(ExpansionHead):
    """Each edge goes to the first child, to the second, or to both."""

    def __init__(self, dim: int, connected: bool, width: int) -> None:
        super().__init__(dim, connected, width, 2 * (SMALL + 1))
        self.join = None if connected else nn.Linear(dim, 1)
        self.seen = nn.Linear(CONTEXT, self.wide)
        self.out = nn.Sequential(
            nn.GELU(), nn.Linear(self.wide, self.wide), nn.GELU(), nn.Linear(self.wide, LABELS)
        )

    def places(self, state: CoarseGraph) -> tuple[int, ...]:
        """Nodes of the first child, and whether the children are joined."""
        return (0, 3)

    def digit_logits(
        self, place: int, own: Tensor, state: CoarseGraph, neighbours: Neighbours, code: Tensor
    ) -> Tensor:
        """(r, v) logits of a digit, given those before it in code (r, CLUSTER_DIGITS)."""
        if place == 0:
            return self.size_logits(own, state.size[neighbours.graph, neighbours.cluster])
        sure = own.new_full((len(own), 1), -NEVER) if self.join is None else self.join(own)
        return torch.cat([torch.zeros_like(sure), sure], 1)

    def completed(self, state: CoarseGraph, neighbours: Neighbours, code: Tensor) -> Tensor:
        """The digits as they are."""
        return code

    def labels(self, neighbours: Neighbours, code: Tensor) -> Tensor:
        """(r, d) int64 in 0..LABELS - 1."""
        first, second = (half.gather(1, neighbours.index) for half in code.chunk(2, 1))
        both = (first > 0) & (second > 0)
        return (torch.where(first > 0, 0, 1) + 2 * both) * neighbours.real

    def coded(self, state: CoarseGraph, neighbours: Neighbours, label: Tensor) -> Tensor:
        """(r, 2 m): inverse of `labels`."""
        m = state.size.shape[1]
        return torch.cat([neighbours.spread((label != other).long(), m) for other in (1, 0)], 1)

    def edge_states(
        self, hidden: Tensor, state: CoarseGraph, neighbours: Neighbours, code: Tensor
    ) -> Tensor:
        """(r, d, 2 dim), given the sizes of both children."""
        size = state.size[neighbours.graph, neighbours.cluster]
        both = torch.stack([code[:, 0], size - code[:, 0]], 1)
        hot = F.one_hot(both.clamp(max=SMALL) - 1, SMALL).float()
        digits = torch.cat([hot, both.float().log()[..., None]], 2).flatten(1)
        return self._edge_states(hidden, neighbours, digits)

    def edge_logits(
        self,
        edge: Tensor,
        state: CoarseGraph,
        neighbours: Neighbours,
        code: Tensor,
        label: Tensor,
        place: slice,
    ) -> Tensor:
        """(r, q, LABELS) logits of edges at `place`."""
        logits: Tensor = self.out(edge[:, place] + self.seen(neighbours.context(label, place)))
        return logits


def interpolated(table: Tensor, at: Tensor) -> Tensor:
    """(r, s) values at (r or 1, s) of functions with knots (r, k), evenly spaced on [0, 1]."""
    knots = table.shape[1]
    at = (at * (knots - 1)).expand(len(table), -1)
    low = at.long().clamp(max=knots - 2)
    part = at - low
    return table.gather(1, low) * (1 - part) + table.gather(1, low + 1) * part
