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
from graphs.generators.expansion.head import SplitHead
from graphs.generators.expansion.neighbours import Deal
from graphs.generators.expansion.state import Coarse

TOTALS = 6  # modes of a graph's count of edges
MODES = 4  # modes of the count of edges inside a child: it may be of one community, or of more
SPARSE, NARROW = -2.3, 2.0  # where these modes start: about one pair in ten, e^-2 wide
FACTS = 8  # known of a cluster that splits
EDGE_FACTS = 5  # known of an edge
SEEN = 5  # of what was dealt before an edge


class CountHead(SplitHead):
    """Each edge's count is divided among the children.

    A total w that falls into two parts of K and L places has x in the first with probability

        p(x) ~ C(K, x) C(L, w - x) exp(a x + b x (w - x) / w)

    which for a = b = 0 is what a random choice of places has (the hypergeometric law): what the
    network has to say is only where a graph is not random. a and b are its outputs, given, for the
    edges to neighbours, by how far others before them deviated, weighted by their density. Edges
    inside a child have a mixture of such laws, for a cluster may hold one community or several.
    Those of a whole graph have a mixture of logistic laws of the logarithm of its density.

    Args:
        dim: Width d.
        connected: Whether all graphs are, and clusters with them.
        width: As of `SplitHead`.
        most: Edges of the largest graph.
    """

    ring = False

    def __init__(self, dim: int, connected: bool, width: int, most: int) -> None:
        super().__init__(dim, connected, width, FACTS)
        self.most = most
        self.total = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), several(dim, TOTALS))
        self.between = nn.Sequential(nn.Linear(dim + FACTS, dim), nn.GELU(), zero(dim, 2))
        self.inside = nn.Sequential(nn.Linear(dim + FACTS, dim), nn.GELU(), several(dim, MODES))
        self.edge = nn.Linear(EDGE_FACTS, self.wide)
        self.seen = nn.Linear(SEEN, self.wide)
        self.out = nn.Sequential(nn.GELU(), nn.Linear(self.wide, dim), nn.GELU(), zero(dim, 2))

    def places(self, state: Coarse) -> tuple[int, ...]:
        """Digits of a code that are drawn, in order."""
        return (0, 3, 1) if state.started else (1,)

    def digit_logits(
        self, place: int, own: Tensor, state: Coarse, deal: Deal, code: Tensor
    ) -> Tensor:
        """(r, v) logits of a digit, given those before it in code (r, FIXED)."""
        size, inner = (x[deal.graph, deal.cluster] for x in (state.size, state.inner))
        if place == 0:
            return self.size_logits(own, size)
        least = size - 1 if self.connected else size * 0
        if not state.started:
            return self._total_logits(own, size, least)
        first, second = code[:, 0], size - code[:, 0]
        given = torch.cat([own, self._facts(state, deal, code)], 1)
        low = (first - 1, second - 1, 1) if self.connected else (0, 0, 0)
        if place == 3:
            apart, tilt = first * second, self.between(given)
            return tilted(inner, apart, pairs(size) - apart, tilt, low[2], low[0] + low[1])
        left, tilts = (inner - code[:, 3])[:, None], self.inside(given).unflatten(1, (3, MODES))
        room = (pairs(first)[:, None], pairs(second)[:, None])
        each = tilted(left, *room, tilts[:, :2].mT, unsqueezed(low[0]), unsqueezed(low[1]))
        return mixed(each, tilts[:, 2])

    def completed(self, state: Coarse, deal: Deal, code: Tensor) -> Tensor:
        """Digits (r, FIXED) with the edges inside the second child."""
        if not state.started:
            return code
        rest = state.inner[deal.graph, deal.cluster] - code[:, 1] - code[:, 3]
        return torch.cat([code[:, :2], rest[:, None], code[:, 3:]], 1)

    def labels(self, deal: Deal, code: Tensor) -> Tensor:
        """(r, d) int64 edges to first children in the end (r, 2 m) of a code; 0 at padding."""
        return code.chunk(2, 1)[0].gather(1, deal.near) * deal.real

    def coded(self, state: Coarse, deal: Deal, label: Tensor) -> Tensor:
        """(r, 2 m): inverse of `labels`."""
        m = state.size.shape[1]
        return torch.cat([deal.spread(x, m) for x in (label, _weight(state, deal) - label)], 1)

    def start(self, hidden: Tensor, state: Coarse, deal: Deal, code: Tensor) -> Tensor:
        """(r, d, 2 dim) what edges start from, given digits (r, FIXED)."""
        weight, near = _weight(state, deal), state.size[deal.graph[:, None], deal.near]
        inner = state.inner[deal.graph[:, None], deal.near] / pairs(near).clamp(min=1)
        ways = near * state.size[deal.graph, deal.cluster][:, None]
        facts = [weight / ways.clamp(min=1), (weight / ways.clamp(min=1)).sqrt()]
        facts += [torch.log1p(weight), near.clamp(min=1).log(), inner]
        base = self.base(hidden, deal, self._facts(state, deal, code))
        edge: Tensor = self.edge(torch.stack(facts, 2).float())
        return base + edge

    def edge_logits(
        self, base: Tensor, state: Coarse, deal: Deal, code: Tensor, label: Tensor, place: slice
    ) -> Tensor:
        """(r, q, v) of edges at `place` given the values (r, d) of those before them."""
        weight, near = _weight(state, deal), state.size[deal.graph[:, None], deal.near]
        size = state.size[deal.graph, deal.cluster]
        share = (code[:, 0] / size)[:, None]
        spread = (weight * share * (1 - share) + 0.5).sqrt()
        surprise = (label - weight * share) / spread * deal.real
        graph, near_ = deal.graph[:, None, None], deal.near
        tie = state.edges[graph, near_[:, place, None], near_[:, None]] * deal.real[:, None]
        density = (tie / (near[:, place, None] * near[:, None]).clamp(min=1)).float()
        at = torch.arange(label.shape[1], device=label.device)
        before = (at[None] < at[place, None]).float()
        close = density.sqrt()
        seen = [
            (weights * before * surprise[:, None]).sum(2)
            for weights in (density, close, torch.ones_like(density))
        ]
        seen += [(close * before).sum(2), (close * (1 - before)).sum(2)]
        tilt = self.out(base[:, place] + self.seen(torch.stack(seen, 2) / 3))
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

    def _facts(self, state: Coarse, deal: Deal, code: Tensor) -> Tensor:
        """(r, FACTS) of clusters, with what is drawn of their children."""
        size, inner = (x[deal.graph, deal.cluster] for x in (state.size, state.inner))
        first, second = code[:, 0].clamp(min=1), (size - code[:, 0]).clamp(min=1)
        apart = code[:, 3] / (first * second)
        drawn = torch.stack([apart, code[:, 1] / pairs(first).clamp(min=1)], 1)
        known = [first.log(), second.log(), first / size, inner / pairs(size).clamp(min=1)]
        known += [torch.log1p(inner), state.edges[deal.graph, deal.cluster].sum(1) / size / 10]
        return torch.cat([torch.stack(known, 1), drawn], 1).float()


def _weight(state: Coarse, deal: Deal) -> Tensor:
    """(r, d) int64 counts of edges."""
    return state.edges[deal.graph[:, None], deal.cluster[:, None], deal.near] * deal.real
