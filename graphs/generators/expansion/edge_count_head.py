"""From hidden states of clusters to how they split: how many edges there are."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.generators.expansion.count_laws import (
    NEVER,
    mixed,
    pairs,
    several,
    tilted,
    unsqueezed,
    zero,
)
from graphs.generators.expansion.head import ExpansionHead
from graphs.generators.expansion.neighbours import Neighbours
from graphs.generators.expansion.state import CoarseGraph

TOTALS = 6  # modes of a graph's count of edges
MODES = 4  # modes of the count of edges inside a child, which holds one community or several
SPARSE, NARROW = -2.3, 2.0  # initial modes of a graph's count: a tenth of all pairs, e^-2 wide
FACTS = 8  # features of a cluster that splits
EDGE_FEATURES = 5  # features of an edge
CONTEXT = 5  # features of the edges before an edge


class EdgeCountHead(ExpansionHead):
    """Each edge's count is divided among the children.

    A total w that falls into two parts of K and L places has x in the first with probability

        p(x) ~ C(K, x) C(L, w - x) exp(a x + b x (w - x) / w)

    which for a = b = 0 is the law of a random choice of places (hypergeometric), so the outputs a
    and b of the network describe only where a graph is not random. Those of the edges to a
    neighbour depend on how far the counts before them deviated, weighted by density. Edges
    inside a child have a mixture of such laws, for a cluster may hold one community or several.
    The edges of a whole graph have a mixture of logistic laws of the logarithm of its density.

    Args:
        dim: Width d.
        connected: Whether all graphs are, and clusters with them.
        width: As of `ExpansionHead`.
        most: Edges of the training graph that has most.
    """

    ring = False

    def __init__(self, dim: int, connected: bool, width: int, most: int) -> None:
        super().__init__(dim, connected, width, FACTS)
        self.most = most
        self.total = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), several(dim, TOTALS))
        self.between = nn.Sequential(nn.Linear(dim + FACTS, dim), nn.GELU(), zero(dim, 2))
        self.inside = nn.Sequential(nn.Linear(dim + FACTS, dim), nn.GELU(), several(dim, MODES))
        self.edge = nn.Linear(EDGE_FEATURES, self.wide)
        self.seen = nn.Linear(CONTEXT, self.wide)
        self.out = nn.Sequential(nn.GELU(), nn.Linear(self.wide, dim), nn.GELU(), zero(dim, 2))

    def places(self, state: CoarseGraph) -> tuple[int, ...]:
        """Nodes of the first child, edges between the children, edges inside the first child."""
        return (0, 3, 1) if state.started else (1,)

    def digit_logits(
        self, place: int, own: Tensor, state: CoarseGraph, neighbours: Neighbours, code: Tensor
    ) -> Tensor:
        """(r, v) logits of a digit, given those before it in code (r, CLUSTER_DIGITS)."""
        size, inner = (x[neighbours.graph, neighbours.cluster] for x in (state.size, state.inner))
        if place == 0:
            return self.size_logits(own, size)
        least = size - 1 if self.connected else size * 0
        if not state.started:
            return self._total_logits(own, size, least)
        first, second = code[:, 0], size - code[:, 0]
        features = torch.cat([own, self._facts(state, neighbours, code)], 1)
        low = (first - 1, second - 1, 1) if self.connected else (0, 0, 0)
        if place == 3:
            apart, tilt = first * second, self.between(features)
            return tilted(inner, apart, pairs(size) - apart, tilt, low[2], low[0] + low[1])
        left, tilts = (inner - code[:, 3])[:, None], self.inside(features).unflatten(1, (3, MODES))
        room = (pairs(first)[:, None], pairs(second)[:, None])
        each = tilted(left, *room, tilts[:, :2].mT, unsqueezed(low[0]), unsqueezed(low[1]))
        return mixed(each, tilts[:, 2])

    def completed(self, state: CoarseGraph, neighbours: Neighbours, code: Tensor) -> Tensor:
        """Digits (r, CLUSTER_DIGITS) with the edges inside the second child."""
        if not state.started:
            return code
        rest = state.inner[neighbours.graph, neighbours.cluster] - code[:, 1] - code[:, 3]
        return torch.cat([code[:, :2], rest[:, None], code[:, 3:]], 1)

    def labels(self, neighbours: Neighbours, code: Tensor) -> Tensor:
        """(r, d) int64 edges to first children."""
        return code.chunk(2, 1)[0].gather(1, neighbours.index) * neighbours.real

    def coded(self, state: CoarseGraph, neighbours: Neighbours, label: Tensor) -> Tensor:
        """(r, 2 m): inverse of `labels`."""
        m = state.size.shape[1]
        both = (label, _weight(state, neighbours) - label)
        return torch.cat([neighbours.spread(count, m) for count in both], 1)

    def edge_states(
        self, hidden: Tensor, state: CoarseGraph, neighbours: Neighbours, code: Tensor
    ) -> Tensor:
        """(r, d, 2 dim), given all digits of the clusters, and counts and densities of edges."""
        weight, near = _weight(state, neighbours), _near_sizes(state, neighbours)
        inner = state.inner[neighbours.graph[:, None], neighbours.index]
        pairs_between = near * state.size[neighbours.graph, neighbours.cluster][:, None]
        density = weight / pairs_between.clamp(min=1)
        features = [density, density.sqrt(), torch.log1p(weight), near.clamp(min=1).log()]
        features.append(inner / pairs(near).clamp(min=1))
        states = self._edge_states(hidden, neighbours, self._facts(state, neighbours, code))
        edge: Tensor = self.edge(torch.stack(features, 2).float())
        return states + edge

    def edge_logits(
        self,
        edge: Tensor,
        state: CoarseGraph,
        neighbours: Neighbours,
        code: Tensor,
        label: Tensor,
        place: slice,
    ) -> Tensor:
        """(r, q, v) logits of edges at `place`, given the counts (r, d) of those before them."""
        weight, near = _weight(state, neighbours), _near_sizes(state, neighbours)
        size = state.size[neighbours.graph, neighbours.cluster]
        share = (code[:, 0] / size)[:, None]
        deviation = (weight * share * (1 - share) + 0.5).sqrt()
        surprise = (label - weight * share) / deviation * neighbours.real
        graph, index = neighbours.graph[:, None, None], neighbours.index
        tie = state.edges[graph, index[:, place, None], index[:, None]] * neighbours.real[:, None]
        density = (tie / (near[:, place, None] * near[:, None]).clamp(min=1)).float()
        at = torch.arange(label.shape[1], device=label.device)
        before = (at[None] < at[place, None]).float()
        close = density.sqrt()
        context = [
            (weights * before * surprise[:, None]).sum(2)
            for weights in (density, close, torch.ones_like(density))
        ]
        context += [(close * before).sum(2), (close * (1 - before)).sum(2)]
        tilt = self.out(edge[:, place] + self.seen(torch.stack(context, 2) / 3))
        first, second = (
            (part[:, None] * near[:, place]) for part in (code[:, 0], size - code[:, 0])
        )
        return tilted(weight[:, place], first, second, tilt, 0, 0)

    def _total_logits(self, own: Tensor, size: Tensor, least: Tensor) -> Tensor:
        """(r, most + 1) logits of a graph's count of edges."""
        count = torch.arange(self.most + 1, device=own.device)
        inside = (count >= least[:, None]) & (count <= pairs(size)[:, None])
        density = (count.clamp(min=1) / pairs(size).clamp(min=1)[:, None]).log()
        middle, narrow, weight = self.total(own).unflatten(1, (3, TOTALS)).unbind(1)
        away = density[:, None] - SPARSE - middle[..., None]
        z = away * (narrow + NARROW)[..., None].exp()
        each = F.logsigmoid(z) + F.logsigmoid(-z)
        return mixed(each.masked_fill(~inside[:, None], NEVER), weight)

    def _facts(self, state: CoarseGraph, neighbours: Neighbours, code: Tensor) -> Tensor:
        """(r, FACTS) features of clusters, and of their children as far as these are drawn."""
        size, inner = (x[neighbours.graph, neighbours.cluster] for x in (state.size, state.inner))
        first, second = code[:, 0].clamp(min=1), (size - code[:, 0]).clamp(min=1)
        apart = code[:, 3] / (first * second)
        drawn = torch.stack([apart, code[:, 1] / pairs(first).clamp(min=1)], 1)
        known = [first.log(), second.log(), first / size, inner / pairs(size).clamp(min=1)]
        outer = state.edges[neighbours.graph, neighbours.cluster].sum(1)
        known += [torch.log1p(inner), outer / size / 10]
        return torch.cat([torch.stack(known, 1), drawn], 1).float()


def _near_sizes(state: CoarseGraph, neighbours: Neighbours) -> Tensor:
    """(r, d) int64 nodes of neighbours."""
    return state.size[neighbours.graph[:, None], neighbours.index]


def _weight(state: CoarseGraph, neighbours: Neighbours) -> Tensor:
    """(r, d) int64 counts of edges to neighbours, 0 at padding."""
    return (
        state.edges[neighbours.graph[:, None], neighbours.cluster[:, None], neighbours.index]
        * neighbours.real
    )
