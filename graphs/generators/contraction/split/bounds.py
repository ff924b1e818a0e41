"""Bounds of the numbers of a split, within which both children can be simple graphs.

A cluster splits into a first and a second child. The code counts, in this order, the first
child's nodes of each label, the edges of each label inside it, the edges of each label between
the two, and how many of the edges that left the cluster leave the first child; what remains is
the second child's. Where a sample has to contain a scaffold, both children must hold at least the
counts of a `Demand`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.split.numbers import Columns
from graphs.generators.contraction.state.partition import Partition

NODES, INNER, JOIN, OUTER = (slice(each, each + 1) for each in range(4))
"""Groups of the digits of a split: its nodes, its inner, joining and outer edges."""
EVERY = slice(0, 4)


@dataclass(frozen=True)
class Demand:
    """The least counts of both children of r splits; before the first scale, child 0 is the graph.

    Args:
        nodes: (r, 2, l) int64, of the letters of the cluster's graph.
        inner: (r, 2, O) int64.
        join: (r, O) int64, edges between the two.
        outer: (r, 2, O) int64.
        cycles: (r, 2) int64, demanded edges beyond those of a forest.
    """

    nodes: Tensor
    inner: Tensor
    join: Tensor
    outer: Tensor
    cycles: Tensor

    @classmethod
    def nothing(cls, nodes: Tensor, inner: Tensor) -> "Demand":
        """No demand on the splits of clusters of (r, T) nodes and (r, O) inner edges."""
        two, edges = torch.zeros_like(nodes)[:, None], torch.zeros_like(inner)
        both = edges[:, None].expand(-1, 2, -1)
        return cls(two.expand(-1, 2, -1), both, edges, both, nodes.new_zeros(len(nodes), 2))


@dataclass(frozen=True)
class Budget:
    """The counts that each of r clusters divides among its children.

    Args:
        nodes: (r, l) int64.
        inner: (r, O) int64.
        outer: (r, O) int64.
        letters: (r, l) int64, labels of the nodes that are counted.
        whole: (r,) bool, whether the cluster is a graph whose counts are yet to be drawn: then its
            nodes and inner edges are the largest allowed, and the code counts the graph's.
        connected: Whether clusters are connected.
        demand: The least counts of the children.
        capacity: (r, l) int64, what a node of each letter can take of the edges' weights, twice
            that of an edge inside; None bounds nothing.
        weight: (O,) int64 of edges.
        most: (r, l, O) int64 edges of each label that a node of each letter can have.
        acyclic: As of `Partition`; then the first child may be the smaller one.
    """

    nodes: Tensor
    inner: Tensor
    outer: Tensor
    letters: Tensor
    whole: Tensor
    connected: bool
    demand: Demand
    capacity: Tensor | None = None
    weight: Tensor | None = None
    most: Tensor | None = None
    acyclic: bool = False

    @classmethod
    def of(
        cls,
        state: Partition,
        connected: bool,
        demand: Demand | None = None,
        limits: ValenceLimits | None = None,
    ) -> "Budget":
        """The budget of the clusters that split, in row order.

        With limits, edges that leave a cluster go where nodes can take them.
        """
        pick = state.split
        nodes, inner = state.nodes[pick], state.inner[pick]
        whole = torch.full_like(nodes[:, 0], not state.started).bool()
        letters = state.letters[pick.nonzero()[:, 0]]
        if demand is None:
            demand = Demand.nothing(nodes, inner)
        found = cls(nodes, inner, state.outer[pick], letters, whole, connected, demand)
        found = replace(found, acyclic=state.acyclic)
        if limits is None:
            return found
        capacity, weight, most = limits.tables(nodes.device)
        room = most[letters] if limits.most else None
        return replace(found, capacity=capacity[letters], weight=weight, most=room)

    def compact(self, labels: int) -> tuple["Budget", Columns]:
        """The same for compact codes, and their columns; there are `labels` T of nodes."""
        columns = Columns.of(self.nodes, self.inner, self.outer, self.letters, labels)
        label = columns.place[:, : columns.place.shape[1] - 3 * self.inner.shape[1]]
        both = label[:, None].expand(-1, 2, -1)
        demand = replace(self.demand, nodes=self.demand.nodes.gather(2, both))
        nodes, letters = self.nodes.gather(1, label), self.letters.gather(1, label)
        capacity = None if self.capacity is None else self.capacity.gather(1, label)
        most = self.most
        if most is not None:
            most = most.gather(1, label[:, :, None].expand(-1, -1, most.shape[2]))
        made = replace(self, nodes=nodes, letters=letters, demand=demand, capacity=capacity)
        return replace(made, most=most), columns

    def bounds(self, code: Tensor, groups: slice = EVERY) -> tuple[Tensor, Tensor]:
        """Smallest and largest value (r, g) of each digit, given the digits before it.

        Args:
            code: (r, g) int64; the bounds of digit i depend on digits 0..i-1 only.
            groups: Whose digits to bound: of nodes, inner, joining and outer edges, in order.
        """
        labels, kinds = self.nodes.shape[1], self.inner.shape[1]
        nodes, inner, join, outer = code.split([labels, kinds, kinds, kinds], 1)
        size, edges = self.nodes.sum(1), self.inner.sum(1)
        first = nodes.sum(1)
        rest = size - first
        want = self.demand
        bridges = want.join.sum(1).clamp(min=1 if self.connected else 0)
        pairs, others = _pairs(first), _pairs(rest)
        in_first, in_second = self._fewest(first, 0), self._fewest(rest, 1)
        # The first child has half the nodes or more.
        half = torch.where(self.whole, 1, 1 if self.acyclic else (size + 1) // 2)
        most = torch.where(self.whole, self.largest(), size - 1)
        inside = torch.where(self.whole, edges, edges - in_second - bridges).minimum(pairs)
        enough = torch.where(self.whole, in_first, edges - others - first * rest)
        left = edges - inner.sum(1)
        every: list[Callable[[], tuple[Tensor, ...]]] = [
            lambda: (self.nodes - want.nodes[:, 1], want.nodes[:, 0], nodes, half, most),
            lambda: (
                self.inner - want.inner[:, 1] - want.join,
                want.inner[:, 0],
                inner,
                torch.maximum(in_first, enough),
                inside,
            ),
            lambda: (
                self._unless_whole(self.inner - inner - want.inner[:, 1]),
                want.join,
                join,
                self._unless_whole(torch.maximum(left - others, bridges)),
                torch.minimum(self._unless_whole(left - in_second), first * rest),
            ),
            lambda: (
                self._unless_whole(self.outer - want.outer[:, 1]),
                want.outer[:, 0],
                outer,
                torch.zeros_like(size),
                self._unless_whole(self.outer.sum(1)),
            ),
        ]
        low, high = map(list, zip(*(_interval(*group()) for group in every[groups]), strict=True))
        if self.capacity is not None and groups in (EVERY, OUTER):
            fewest, largest = self._leaving(nodes, inner, join, outer)
            # Where no choice is within the limits, they bound nothing.
            fewest, largest = torch.maximum(low[-1], fewest), torch.minimum(high[-1], largest)
            low[-1] = torch.where(fewest <= largest, fewest, low[-1])
            high[-1] = torch.where(fewest <= largest, largest, high[-1])
        return torch.cat(low, 1), torch.cat(high, 1)

    def _leaving(
        self, nodes: Tensor, inner: Tensor, join: Tensor, outer: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Fewest and most (r, O) of the edges that may leave the first child, by capacity."""
        assert self.capacity is not None and self.weight is not None
        first = (nodes * self.capacity).sum(1)
        second = (self.nodes * self.capacity).sum(1) - first
        joins = (join * self.weight).sum(1)
        rest = self.inner - inner - join
        first = first - joins - 2 * (inner * self.weight).sum(1)
        second = second - joins - 2 * (rest * self.weight).sum(1)
        gone = [x * self.weight for x in (outer, self.outer - outer)]
        before = [x.cumsum(1) - x for x in gone]
        most = torch.div(first[:, None] - before[0], self.weight, rounding_mode="floor")
        other = torch.div(second[:, None] - before[1], self.weight, rounding_mode="floor")
        least = self.outer - other
        if self.most is not None:
            room = [(n[:, :, None] * self.most).sum(1) for n in (nodes, self.nodes - nodes)]
            most = torch.minimum(most, room[0] - join - 2 * inner)
            least = torch.maximum(least, self.outer - (room[1] - join - 2 * rest))
        return least, most

    def _fewest(self, nodes: Tensor, child: int) -> Tensor:
        """(r,) fewest edges inside a child of so many nodes (r,)."""
        if not self.connected:
            return self.demand.inner[:, child].sum(1)
        return (nodes - 1).clamp(min=0) + self.demand.cycles[:, child]

    def largest(self) -> Tensor:
        """(r,) most nodes of a graph, which its edges must be able to connect."""
        size = self.nodes.sum(1)
        if not self.connected:
            return size
        return size.minimum(self.inner.sum(1) + 1 - self.demand.cycles[:, 0])

    def _unless_whole(self, x: Tensor) -> Tensor:
        """Zero for whole graphs, which have no second child and nothing outside."""
        whole = self.whole if x.ndim == 1 else self.whole[:, None]
        return torch.where(whole, 0, x)


def _interval(
    cap: Tensor, floor: Tensor, digits: Tensor, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    """Bounds of digits, each in [floor, cap], whose sum must lie in [low, high]."""
    before = digits.cumsum(1) - digits
    smallest = torch.maximum(floor, low[:, None] - before - later(cap))
    largest = torch.minimum(cap, high[:, None] - before - later(floor))
    return smallest.clamp(min=0), largest.clamp(min=0)


def later(x: Tensor) -> Tensor:
    """Sums of the columns after each column."""
    return x.sum(1, keepdim=True) - x.cumsum(1)


def _pairs(n: Tensor) -> Tensor:
    return n * (n - 1) // 2
