"""From hidden states of clusters to how they split: how many edges there are."""

import torch
from torch import Tensor, nn

from graphs.expansion.deal import Deal
from graphs.expansion.head import NEVER, SplitHead, interpolated
from graphs.expansion.state import Coarse

TOTAL = 32  # knots of the logits of a graph's count of edges, by its logarithm
FACTS = 8  # known of a cluster that splits
EDGE_FACTS = 5  # known of an edge
SEEN = 5  # of what was dealt before an edge


class CountHead(SplitHead):
    """Each edge's count is divided among the children.

    A total w that falls into two parts of K and L places has x in the first with probability

        p(x) ~ C(K, x) C(L, w - x) exp(a x + b x (w - x) / w)

    which for a = b = 0 is what a random choice of places has (the hypergeometric law): what the
    network has to say is only where a graph is not random. a and b are its outputs, given, for the
    edges to neighbours, by how far others before them deviated, weighted by their density.

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
        self.total = nn.Linear(dim, TOTAL)
        self.inside = nn.Sequential(nn.Linear(dim + FACTS, dim), nn.GELU(), _zero(dim, 4))
        self.edge = nn.Linear(EDGE_FACTS, self.wide)
        self.seen = nn.Linear(SEEN, self.wide)
        self.out = nn.Sequential(nn.GELU(), nn.Linear(self.wide, dim), nn.GELU(), _zero(dim, 2))

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
        tilt = self.inside(torch.cat([own, self._facts(state, deal, code)], 1))
        low = (first - 1, second - 1, 1) if self.connected else (0, 0, 0)
        if place == 3:
            apart = first * second
            return tilted(inner, apart, pairs(size) - apart, tilt[:, :2], low[2], low[0] + low[1])
        left = inner - code[:, 3]
        return tilted(left, pairs(first), pairs(second), tilt[:, 2:], low[0], low[1])

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
        at = torch.log1p(count) / torch.log1p(torch.tensor(float(self.most)))
        inside = (count >= least[:, None]) & (count <= pairs(size)[:, None])
        return interpolated(self.total(own), at[None]).masked_fill(~inside, NEVER)

    def _facts(self, state: Coarse, deal: Deal, code: Tensor) -> Tensor:
        """(r, FACTS) of clusters, with what is drawn of their children."""
        size, inner = (x[deal.graph, deal.cluster] for x in (state.size, state.inner))
        first, second = code[:, 0].clamp(min=1), (size - code[:, 0]).clamp(min=1)
        apart = code[:, 3] / (first * second)
        drawn = torch.stack([apart, code[:, 1] / pairs(first).clamp(min=1)], 1)
        known = [first.log(), second.log(), first / size, inner / pairs(size).clamp(min=1)]
        known += [torch.log1p(inner), state.edges[deal.graph, deal.cluster].sum(1) / size / 10]
        return torch.cat([torch.stack(known, 1), drawn], 1).float()


def pairs(size: Tensor) -> Tensor:
    """Pairs of nodes."""
    return size * (size - 1) // 2


def tilted(
    total: Tensor,
    first: Tensor,
    second: Tensor,
    tilt: Tensor,
    low: Tensor | int,
    other: Tensor | int,
) -> Tensor:
    """(..., v) logits of how much of a total falls into the first of two parts.

    Args:
        total: (...) int64 w.
        first: (...) int64 places K in the first part.
        second: (...) int64 places L in the second part.
        tilt: (..., 2) a and b.
        low: (...) int64 least in the first part.
        other: (...) int64 least in the second part.
    """
    x = torch.arange(int(total.max()) + 1, device=total.device)
    w, here, there = (y[..., None] for y in (total, first, second))
    rest = w - x
    inside = (x <= here) & (rest <= there) & (x >= _more(low)) & (rest >= _more(other))
    # Padding, and what cannot be, has one value.
    inside = inside | (~inside.any(-1, keepdim=True) & (x == 0))
    ways = _choose(here, x) + _choose(there, rest.clamp(min=0))
    a, b = tilt[..., :1], tilt[..., 1:]
    logits = ways + a * x + b * x * rest / w.clamp(min=1)
    return logits.masked_fill(~inside, NEVER)


def _zero(dim: int, outputs: int) -> nn.Linear:
    """A linear map that says zero before any training."""
    layer = nn.Linear(dim, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _more(x: Tensor | int) -> Tensor | int:
    return x if isinstance(x, int) else x[..., None]


def _choose(n: Tensor, k: Tensor) -> Tensor:
    """Logarithm of the binomial coefficient; what it is where k > n does not matter."""
    n, k = n.float(), k.float()
    return torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma((n - k).clamp(min=0) + 1)


def _weight(state: Coarse, deal: Deal) -> Tensor:
    """(r, d) int64 counts of edges."""
    return state.edges[deal.graph[:, None], deal.cluster[:, None], deal.near] * deal.real
