"""A coarse graph as a set of cluster tokens, with how they are joined as attention bias."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.data.edge_list import hops
from graphs.generators.expansion.state import CoarseGraph
from refine_core.embed import Embed
from refine_core.tokens import Tokens

VALUES = 12  # all larger counts have the same one-hot digit, but their own logarithm
SHARED = 4  # counts of common neighbours of joined clusters that are distinguished


class CoarseEmbed(Embed[CoarseGraph, Tensor]):
    """Cluster tokens without positions or order.

    A cluster's token holds its counts of nodes, neighbours and triangles, and whether it splits.
    The bias of attention depends on the distance of two clusters, or, if they are joined, on their
    count of common neighbours; before any training, attention falls off with distance, in each
    head faster than in the one before.

    Args:
        dim: Width of the tokens.
        heads: Attention heads.
        reach: Largest distance that is distinguished.
        counted: Whether edges are counted; then tokens and bias also depend on densities.
    """

    def __init__(self, dim: int, heads: int, reach: int, counted: bool = False) -> None:
        super().__init__()
        self.reach = reach
        self.split = nn.Embedding(2, dim)
        self.counts = nn.Linear(3 * (VALUES + 1), dim)
        self.bias = nn.Embedding(reach + 2 + SHARED, heads)
        distance = torch.tensor([*range(reach + 2), *[1] * SHARED], dtype=torch.float32)
        slope = torch.linspace(0, 2, heads)
        with torch.no_grad():
            self.bias.weight.copy_(-slope * distance[:, None])
        self.density = nn.Linear(4, dim) if counted else None
        self.ties = nn.Linear(3, heads) if counted else None
        self.whole = nn.Sequential(nn.Linear(2, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, state: CoarseGraph, k: int, context: Tensor | None = None) -> Tokens:
        """Tokens (b, m, d)."""
        joined = (state.edges > 0).float()
        shared = (joined @ joined) * joined
        degree = joined.sum(2)
        counts = torch.stack([state.size, degree, shared.sum(2) / 2], 2)
        hot = F.one_hot(counts.long().clamp(max=VALUES - 1), VALUES).float()
        digits = torch.cat([hot, torch.log1p(counts)[..., None]], 3).flatten(2)
        value = self.split(state.split.long()) + self.counts(digits)
        bias = self.bias(self.relations(joined, shared))
        if self.density is not None and self.ties is not None:
            value = value + self.density(_densities(state))
            bias = bias + self.ties(_ties(state))
        bias = bias.permute(0, 3, 1, 2)
        whole = torch.stack([state.size.sum(1), state.valid.sum(1)], 1).log()
        return Tokens(value, valid=state.valid, bias=bias, condition=self.whole(whole.float()))

    def relations(self, joined: Tensor, shared: Tensor) -> Tensor:
        """(b, m, m) int64 distances; of joined clusters `reach + 2` + their common neighbours."""
        common = self.reach + 2 + shared.long().clamp(max=SHARED - 1)
        return torch.where(joined > 0, common, hops(joined > 0, self.reach))

    def level(self, state: CoarseGraph, k: int) -> int:
        """One level for all scales."""
        return 1


def _densities(state: CoarseGraph) -> Tensor:
    """(b, m, 4) counts of edges inside and outside of clusters, and their densities."""
    size = state.size.clamp(min=1)
    outer, rest = state.edges.sum(2), state.size.sum(1, keepdim=True) - size
    inside = state.inner / (size * (size - 1) / 2).clamp(min=1)
    outside = outer / (size * rest).clamp(min=1)
    return torch.stack([torch.log1p(state.inner), torch.log1p(outer), inside, 10 * outside], 2)


def _ties(state: CoarseGraph) -> Tensor:
    """(b, m, m, 3) counts of edges between clusters, and their density."""
    size = state.size.clamp(min=1)
    density = state.edges / (size[:, :, None] * size[:, None])
    return torch.stack([torch.log1p(state.edges), density, density.sqrt()], 3)
