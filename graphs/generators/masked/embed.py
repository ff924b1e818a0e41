"""A partial graph as a set of node tokens, with the known labels of pairs as attention bias."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.data.edge_list import hops
from graphs.generators.common.valence import ValenceLimits
from graphs.generators.masked.state import PartialGraphs
from refine_core.embed import Embed
from refine_core.tokens import Tokens

VALUES = 8  # all larger counts have the same one-hot digit, but their own logarithm


class PairRelations(nn.Module):
    """Numbers each pair by its label, if known, and its distance over known edges.

    Args:
        kinds: Edge labels O.
        reach: Largest distance that is distinguished.
    """

    def __init__(self, kinds: int, reach: int) -> None:
        super().__init__()
        self.kinds, self.reach = kinds, reach

    @property
    def count(self) -> int:
        """Count of the numbers."""
        return (self.kinds + 2) * (self.reach + 2)

    def forward(self, state: PartialGraphs) -> Tensor:
        """(b, n, n) int64."""
        distance = hops((state.edges > 0) & ~state.edge_hidden, self.reach)
        return state.edges * (self.reach + 2) + distance


class PartialEmbed(Embed[PartialGraphs, Tensor]):
    """Node tokens without positions or order.

    A node's token holds its label, the counts of its pairs with each label or hidden, and its
    slack. The bias of attention depends on `PairRelations` (Graphormer, Ying et al., arXiv
    2106.05234). The condition is the size and the shares of hidden elements.

    Args:
        dim: Width of the tokens.
        heads: Attention heads.
        labels: Node labels T and edge labels O.
        reach: Largest distance that is distinguished.
        valence_limits: Nodes' tokens hold their slack, if given.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        labels: tuple[int, int],
        reach: int,
        valence_limits: ValenceLimits | None = None,
    ) -> None:
        super().__init__()
        self.labels, self.valence_limits = labels, valence_limits
        self.pairs = PairRelations(labels[1], reach)
        self.node = nn.Embedding(labels[0] + 1, dim)
        self.counts = nn.Linear((labels[1] + 3) * (VALUES + 1), dim)
        self.bias = nn.Embedding(self.pairs.count, heads)
        nn.init.zeros_(self.bias.weight)
        self.progress = nn.Sequential(nn.Linear(3, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, state: PartialGraphs, k: int, context: Tensor | None = None) -> Tokens:
        """Tokens (b, n, d)."""
        other = state.pairs[..., None]
        edges = (F.one_hot(state.edges, self.labels[1] + 2) * other).sum(2)
        counts = torch.cat([edges, self._slack(state)[:, :, None]], 2)
        hot = F.one_hot(counts.clamp(max=VALUES - 1), VALUES).float()
        digits = torch.cat([hot, torch.log1p(counts)[..., None]], 3).flatten(2)
        value = self.node(state.nodes) + self.counts(digits)
        bias = self.bias(self.pairs(state)).permute(0, 3, 1, 2)
        size = state.valid.sum(1)
        shares = [
            size.log(),
            state.node_hidden.sum(1) / size,
            state.edge_hidden.sum((1, 2)) / state.pairs.sum((1, 2)).clamp(min=1),
        ]
        condition = self.progress(torch.stack(shares, 1).float())
        return Tokens(value, valid=state.valid, bias=bias, condition=condition)

    def level(self, state: PartialGraphs, k: int) -> int:
        """One level for all scales."""
        return 1

    def _slack(self, state: PartialGraphs) -> Tensor:
        """(b, n) int64 slack that known edges leave, halved as edges of order 1 weigh 2."""
        if self.valence_limits is None:
            return torch.zeros_like(state.nodes)
        capacity = torch.tensor((*self.valence_limits.capacity, 0), device=state.nodes.device)
        weight = torch.tensor((0, *self.valence_limits.weight, 0), device=state.nodes.device)
        return (capacity[state.nodes] - weight[state.edges].sum(2)).clamp(min=0) // 2
