"""Clusters and the edges between them as one set of tokens, with distances as attention bias."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.config import EdgeTokens
from graphs.generators.contraction.relations import EXTRA, token_relations
from graphs.generators.contraction.state.partition import Partition
from graphs.generators.contraction.state.valence import slack
from refine_core.embed import Embed
from refine_core.tokens import Tokens


class GraphEmbed(Embed[Partition, Tensor]):
    """Cluster and edge tokens without positions or order.

    A cluster's token holds its counts and whether it splits next, an edge's token its label and
    the counts of the clusters at its ends. The attention bias depends on how two tokens are
    related, see `graphs.generators.contraction.relations`.

    Args:
        dim: Width of the tokens.
        heads: Attention heads.
        most: Largest count of nodes of each of T labels.
        kinds: Edge labels O.
        values: Counts from here on have the same vector, but for the part of their logarithm.
        reach: Largest distance that is distinguished; a neighbouring cluster is at 2.
        properties: Count of properties in the context.
        valence_limits: Clusters' tokens hold their slack, if given.
        edge_tokens: Which edges are tokens; where none are, attention knows their labels.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        most: Sequence[int],
        kinds: int,
        values: int = 16,
        reach: int = 8,
        properties: int = 0,
        valence_limits: ValenceLimits | None = None,
        edge_tokens: EdgeTokens = "all",
    ) -> None:
        super().__init__()
        self.labels, self.reach, self.properties = len(most), reach, properties
        self.valence_limits = valence_limits
        self.cluster = Counts([*most, *[values] * (2 * kinds + 2)], values, dim)
        self.split = nn.Embedding(4, dim)
        self.label = nn.Embedding(kinds, dim)
        self.end = nn.Linear(dim, dim, bias=False)
        self.bias = nn.Embedding(reach + EXTRA, heads)
        nn.init.zeros_(self.bias.weight)
        self.link = nn.Embedding(kinds, heads) if edge_tokens == "none" else None
        if self.link is not None:
            nn.init.zeros_(self.link.weight)
        self.property = nn.Sequential(
            nn.Linear(2 * max(properties, 1), dim), nn.SiLU(), nn.Linear(dim, dim)
        )

    def forward(self, state: Partition, k: int, context: Tensor | None = None) -> Tokens:
        """Tokens (b, m + e, d) of the m clusters and those e edges that are tokens."""
        outer = state.outer if state.started else torch.zeros_like(state.inner)
        left = torch.zeros_like(state.sizes)
        if self.valence_limits is not None and state.started:
            left = slack(self.valence_limits, state).clamp(min=0) // 2
        sums = [state.nodes, state.inner, outer, state.sizes[:, :, None], left[:, :, None]]
        counts = torch.cat(sums, 2)
        kind = torch.full_like(state.sizes, 3) if state.attaching else state.split.long()
        kind = kind if state.started else torch.full_like(kind, 2)
        letters, labels = state.letters, self.labels
        rest = torch.arange(labels, labels + counts.shape[2] - letters.shape[1])
        rest = rest.to(letters.device).expand(len(letters), -1)
        cluster = self.split(kind)
        if state.started:  # before, the counts are the same of all graphs
            cluster = cluster + self.cluster(counts, torch.cat([letters, rest], 1))
        ends = self.end(F.gelu(cluster))
        if self.link is not None:
            return self._clusters(cluster, ends, state)
        value = torch.cat([cluster, self.label(state.label) + state.between(ends)], 1)
        valid = torch.cat([state.valid, state.real], 1)
        relation = token_relations(state.edge_counts, state.ends, self.reach)
        bias = self.bias(relation.int()).permute(0, 3, 1, 2)
        return Tokens(value, valid=valid, bias=bias)

    def _clusters(self, cluster: Tensor, ends: Tensor, state: Partition) -> Tokens:
        """Tokens (b, m, d) of clusters alone: edges pass messages, their labels bias attention.

        Args:
            cluster: (b, m, d).
            ends: (b, m, d) messages of clusters to their neighbours.
            state: State of the clusters.
        """
        assert self.link is not None
        graph, slot = state.real.nonzero(as_tuple=True)
        both = state.ends[graph, slot] + graph[:, None] * cluster.shape[1]
        here, there = both.flatten(), both.flip(1).flatten()
        label = self.label(state.label_at[graph, slot].flatten())
        message = F.gelu(ends.flatten(0, 1).index_select(0, there) + label)
        value = cluster.flatten(0, 1).index_add(0, here, message).view_as(cluster)
        links = state.links
        relation = token_relations(links.sum(3), state.ends[:, :0], self.reach)
        bias = self.bias(relation.int()) + links.float() @ self.link.weight
        return Tokens(value, valid=state.valid, bias=bias.permute(0, 3, 1, 2))

    def level(self, state: Partition, k: int) -> int:
        """One level for the first scale, whose cluster is the whole graph; one for the last."""
        return 3 if state.attaching else 1 if state.started else 2

    def condition(self, context: Tensor | None, count: int) -> Tensor:
        """(count, d) from properties (count, p) in units of their spread; NaN is any value."""
        device = self.label.weight.device
        if context is None:
            context = torch.full((count, max(self.properties, 1)), torch.nan, device=device)
        known = ~context.isnan()
        vector: Tensor = self.property(torch.cat([context.nan_to_num(), known.float()], 1))
        return vector

    def drop(self, context: Tensor, where: Tensor) -> Tensor:
        """Properties with NaN in the samples `where` (b,) is True."""
        return torch.where(where[:, None], torch.nan, context)


class Counts(nn.Module):
    """Counts to vectors: the sum of those of each number and of its logarithm; 0 has none.

    Args:
        most: Largest of each count, as far as is known.
        values: Numbers from here on have the same vector.
        dim: Width d.
    """

    first: Tensor
    last: Tensor

    def __init__(self, most: Sequence[int], values: int, dim: int) -> None:
        super().__init__()
        rows = torch.tensor(most).clamp(min=1, max=values - 1)
        self.register_buffer("first", rows.cumsum(0) - rows)
        self.register_buffer("last", rows, persistent=False)
        size = (len(most) * values) ** -0.5
        self.number = nn.Parameter(size * torch.randn(int(rows.sum()), dim))
        self.logarithm = nn.Parameter(size * torch.randn(len(most), dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, counts: Tensor, name: Tensor) -> Tensor:
        """Vectors (b, m, d) of counts (b, m, c), which are of what `name` (b, c) says."""
        graph, cluster, column = counts.nonzero(as_tuple=True)
        count, place = counts[graph, cluster, column], name[graph, column]
        number = self.first[place] + torch.minimum(count, self.last[place]) - 1
        each = self.number[number] + torch.log1p(count)[:, None] * self.logarithm[place]
        row = graph * counts.shape[1] + cluster
        sums = self.bias.expand(counts.shape[0] * counts.shape[1], -1).index_add(0, row, each)
        return sums.view(*counts.shape[:2], -1)
