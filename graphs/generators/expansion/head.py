"""From hidden states of clusters to how they split: which edges there are."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.generators.expansion.count_laws import NEVER
from graphs.generators.expansion.distribution import DealDistribution
from graphs.generators.expansion.neighbours import LABELS, SEEN, Deal
from graphs.generators.expansion.state import Coarse

KNOTS = 16  # of the logits of the first child's share of nodes, linear in between
SMALL = 6  # sizes from here on look alike, but for their logarithm


class SplitHead(nn.Module):
    """What both heads share: the nodes of the first child, and what a cluster's edges start from.

    Args:
        dim: Width d.
        connected: Whether the children of a cluster are always joined.
        width: Neighbours that random numbers are drawn for, so that they do not depend on the
            batch.
        facts: Numbers that are known of each cluster that splits.

    Attributes:
        ring: See `Deal.of`.
    """

    ring = True

    def __init__(self, dim: int, connected: bool, width: int, facts: int) -> None:
        super().__init__()
        self.connected, self.width = connected, width
        self.wide = 2 * dim  # of what edges start from
        self.share = nn.Linear(dim, KNOTS)
        self.own, self.other = nn.Linear(dim, self.wide), nn.Linear(dim, self.wide)
        self.facts = nn.Linear(facts, self.wide)

    def forward(
        self, hidden: Tensor, state: Coarse, k: int, valid: Tensor | None = None
    ) -> DealDistribution:
        """Distribution of the codes of scale k."""
        head: Any = self
        return DealDistribution(head, state, hidden, Deal.of(state, k, self.ring))

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

    def base(self, hidden: Tensor, deal: Deal, facts: Tensor) -> Tensor:
        """(r, d, 2 dim) what does not depend on the edges dealt.

        Args:
            hidden: (b, m, dim).
            deal: What is dealt.
            facts: (r, f) what is known of clusters.
        """
        own = self.own(hidden[deal.graph, deal.cluster]) + self.facts(facts)
        base: Tensor = own[:, None] + self.other(hidden)[deal.graph[:, None], deal.near]
        return base


class DealHead(SplitHead):
    """Each edge goes to the first child, to the second, or to both."""

    def __init__(self, dim: int, connected: bool, width: int) -> None:
        super().__init__(dim, connected, width, 2 * (SMALL + 1))
        self.join = None if connected else nn.Linear(dim, 1)
        self.seen = nn.Linear(SEEN, self.wide)
        self.out = nn.Sequential(
            nn.GELU(), nn.Linear(self.wide, self.wide), nn.GELU(), nn.Linear(self.wide, LABELS)
        )

    def places(self, state: Coarse) -> tuple[int, ...]:
        """Digits of a code that are drawn, in order: of the first child, and whether joined."""
        return (0, 3)

    def digit_logits(
        self, place: int, own: Tensor, state: Coarse, deal: Deal, code: Tensor
    ) -> Tensor:
        """(r, v) logits of a digit, given those before it in code (r, FIXED)."""
        if place == 0:
            return self.size_logits(own, state.size[deal.graph, deal.cluster])
        sure = own.new_full((len(own), 1), -NEVER) if self.join is None else self.join(own)
        return torch.cat([torch.zeros_like(sure), sure], 1)

    def completed(self, state: Coarse, deal: Deal, code: Tensor) -> Tensor:
        """Digits (r, FIXED) with those that follow from the others."""
        return code

    def labels(self, deal: Deal, code: Tensor) -> Tensor:
        """(r, d) int64 values of edges in the end (r, 2 m) of a code; 0 at padding."""
        first, second = (half.gather(1, deal.near) for half in code.chunk(2, 1))
        return (torch.where(first > 0, 0, 1) + 2 * ((first > 0) & (second > 0))) * deal.real

    def coded(self, state: Coarse, deal: Deal, label: Tensor) -> Tensor:
        """(r, 2 m): inverse of `labels`."""
        m = state.size.shape[1]
        return torch.cat([deal.spread((label != other).long(), m) for other in (1, 0)], 1)

    def start(self, hidden: Tensor, state: Coarse, deal: Deal, code: Tensor) -> Tensor:
        """(r, d, 2 dim) what edges start from, given digits (r, FIXED)."""
        size = state.size[deal.graph, deal.cluster]
        both = torch.stack([code[:, 0], size - code[:, 0]], 1)
        hot = F.one_hot(both.clamp(max=SMALL) - 1, SMALL).float()
        digits = torch.cat([hot, both.float().log()[..., None]], 2).flatten(1)
        return self.base(hidden, deal, digits)

    def edge_logits(
        self, base: Tensor, state: Coarse, deal: Deal, code: Tensor, label: Tensor, place: slice
    ) -> Tensor:
        """(r, q, LABELS) of edges at `place` given the labels (r, d) of those before them."""
        logits: Tensor = self.out(base[:, place] + self.seen(deal.seen(label, place)))
        return logits


def interpolated(table: Tensor, at: Tensor) -> Tensor:
    """(r, s) values at (r or 1, s) of functions with knots (r, k), evenly spaced on [0, 1]."""
    knots = table.shape[1]
    at = (at * (knots - 1)).expand(len(table), -1)
    low = at.long().clamp(max=knots - 2)
    part = at - low
    return table.gather(1, low) * (1 - part) + table.gather(1, low + 1) * part
