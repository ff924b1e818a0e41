"""Bookkeeping of splits: which numbers leave both halves something a simple graph can be made of.

A cluster splits into a first child and the rest. The code counts, in this order, the first
child's nodes of each label, the edges of each label inside it, the edges of each label between
the two, and how many of the edges that left the cluster leave the first child; what remains is
the second child's.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.partition import Partition


@dataclass(frozen=True)
class Budget:
    """What each of r clusters has to divide.

    Args:
        nodes: (r, T) int64.
        inner: (r, O) int64.
        outer: (r, O) int64.
        whole: (r,) bool, whether the cluster is a graph yet to be drawn: then its nodes and
            inner edges are the largest allowed, and the code counts the graph's.
        connected: Whether clusters are connected.
    """

    nodes: Tensor
    inner: Tensor
    outer: Tensor
    whole: Tensor
    connected: bool

    @classmethod
    def of(cls, state: Partition, connected: bool) -> "Budget":
        """Of the clusters that split, in row order."""
        pick = state.split
        whole = torch.full_like(state.nodes[pick][:, 0], not state.started).bool()
        return cls(state.nodes[pick], state.inner[pick], state.outer[pick], whole, connected)

    @property
    def digits(self) -> int:
        """Digits of a code."""
        return self.nodes.shape[1] + 3 * self.inner.shape[1]

    def bounds(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Smallest and largest value (r, g) of each digit, given the digits before it.

        Args:
            code: (r, g) int64; the bounds of digit i depend on digits 0..i-1 only.
        """
        labels, kinds = self.nodes.shape[1], self.inner.shape[1]
        nodes, inner, join, outer = code.split([labels, kinds, kinds, kinds], 1)
        size, edges = self.nodes.sum(1), self.inner.sum(1)
        first = nodes.sum(1)
        rest = size - first
        least = 1 if self.connected else 0
        pairs, others = _pairs(first), _pairs(rest)

        def tree(n: Tensor) -> Tensor:
            return (n - 1).clamp(min=0) * least

        # Not less than half the nodes: the first child is the larger.
        half = torch.where(self.whole, 1, (size + 1) // 2)
        most = torch.where(self.whole, size, size - 1)
        inside = edges - tree(rest) - least
        inside = torch.where(self.whole, edges, inside).minimum(pairs)
        enough = torch.where(self.whole, tree(first), edges - others - first * rest)
        within = inner.sum(1)
        left = edges - within
        groups = [
            (self.nodes, nodes, half, most),
            (self.inner, inner, torch.maximum(tree(first), enough), inside),
            (
                self._once(self.inner - inner),
                join,
                self._once((left - others).clamp(min=least)),
                torch.minimum(self._once(left - tree(rest)), first * rest),
            ),
            (self._once(self.outer), outer, torch.zeros_like(size), self._once(self.outer.sum(1))),
        ]
        low, high = zip(*(_interval(*group) for group in groups), strict=True)
        return torch.cat(low, 1), torch.cat(high, 1)

    def _once(self, x: Tensor) -> Tensor:
        """Zero for graphs yet to be drawn, of which nothing lies outside."""
        whole = self.whole if x.ndim == 1 else self.whole[:, None]
        return torch.where(whole, 0, x)


def _interval(cap: Tensor, digits: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Bounds of digits, each at most `cap`, whose sum is to lie in [low, high]."""
    before = digits.cumsum(1) - digits
    after = cap.flip(1).cumsum(1).flip(1) - cap
    smallest = (low[:, None] - before - after).clamp(min=0)
    return smallest, torch.minimum(cap, high[:, None] - before).clamp(min=0)


def _pairs(n: Tensor) -> Tensor:
    return n * (n - 1) // 2
