"""Clusters and the edges between them as one set of tokens, with distances as attention bias."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.partition import Partition
from graphs.relations import EXTRA, relations
from graphs.shown import Shown, reduced
from graphs.support import Support
from refine_core.embed import Embed
from refine_core.tokens import Tokens


class GraphEmbed(Embed):
    """A set transformer's view of a state: no positions, no order.

    A cluster's token holds its counts and whether it splits next, an edge's its label and those of
    the clusters at its ends. The attention bias depends on how two tokens stand to each other in
    the graph of clusters and edges, see `graphs.relations`.

    Args:
        dim: Width of the tokens.
        heads: Attention heads.
        labels: Node labels T.
        kinds: Edge labels O.
        values: Counts from here on look alike, but for their logarithm.
        reach: Largest distance told apart; a neighbouring cluster is at 2.
        properties: Numbers of the context, e.g. a property to aim at.
        support: Whose slack is shown, if given.
        cycles: Whether attention tells triangles.
        shown: Which edges are tokens, see `graphs.shown`.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        labels: int,
        kinds: int,
        values: int = 16,
        reach: int = 8,
        properties: int = 0,
        support: Support | None = None,
        cycles: bool = False,
        shown: Shown = "all",
    ) -> None:
        super().__init__()
        self.values, self.reach, self.properties = values, reach, properties
        self.cycles, self.shown = cycles, shown
        counts = labels + 2 * kinds + 2
        self.support = support
        self.cluster = nn.Linear(counts * (values + 1), dim)
        self.split = nn.Embedding(3, dim)
        self.label = nn.Embedding(kinds, dim)
        self.end = nn.Linear(dim, dim, bias=False)
        self.bias = nn.Embedding(reach + (EXTRA if cycles else 3), heads)
        nn.init.zeros_(self.bias.weight)
        self.property = nn.Sequential(
            nn.Linear(2 * max(properties, 1), dim), nn.SiLU(), nn.Linear(dim, dim)
        )

    def forward(self, state: Partition, k: int, context: Tensor | None = None) -> Tokens:
        """Tokens (b, m + e, d) of the m clusters and the e edges shown."""
        outer = state.outer if state.started else torch.zeros_like(state.inner)
        slack = torch.zeros_like(state.sizes)
        if self.support is not None and state.started:
            slack = self.support.slack(state).clamp(min=0) // 2
        sums = [state.nodes, state.inner, outer, state.sizes[:, :, None], slack[:, :, None]]
        counts = torch.cat(sums, 2)
        kind = state.split.long() + (not state.started)
        cluster = self.cluster(self._digits(counts)) + self.split(kind)
        ends = self.end(F.gelu(cluster))
        joined = state.edge_counts
        state = reduced(state) if self.shown == "splitting" else state
        spots = state.ends.flatten(1)[:, :, None].expand(-1, -1, ends.shape[2])
        both = ends.gather(1, spots).unflatten(1, (-1, 2)).sum(2)
        value = torch.cat([cluster, self.label(state.label) + both], 1)
        valid = torch.cat([state.valid, state.real], 1)
        level = torch.full((value.shape[1],), 1 if state.started else 2, device=value.device)
        relation = relations(joined, state.ends, self.reach, self.cycles)
        bias = self.bias(relation).permute(0, 3, 1, 2)
        return Tokens(value, level, valid=valid, bias=bias)

    def context(self, context: Tensor | None, count: int) -> Tokens:
        """No tokens; the condition (b, d) of properties (b, p) in units of their spread.

        NaN stands for any value.
        """
        device = self.label.weight.device
        if context is None:
            context = torch.full((count, max(self.properties, 1)), torch.nan, device=device)
        known = ~context.isnan()
        vector = self.property(torch.cat([context.nan_to_num(), known.float()], 1))
        nothing = vector.new_zeros(count, 0, vector.shape[1])
        level = torch.zeros(0, dtype=torch.int64, device=device)
        return Tokens(nothing, level, condition=vector)

    def drop(self, context: Tensor, where: Tensor) -> Tensor:
        """Properties with NaN in place of the dropped."""
        return torch.where(where[:, None], torch.nan, context)

    def _digits(self, counts: Tensor) -> Tensor:
        """(b, m, counts * (values + 1)): one-hot up to `values`, and the logarithm."""
        hot = F.one_hot(counts.clamp(max=self.values - 1), self.values).float()
        return torch.cat([hot, torch.log1p(counts)[..., None]], 3).flatten(2)
