"""From hidden states to the distribution of splits.

The numbers of one cluster's code depend on each other, so they are drawn one after the other by a
small network behind the transformer (as RQ-Transformer draws the digits of a residual code, Lee
et al., arXiv 2203.01941), within the bounds of `bounds`. The half-edges that stay with the first
child are then a random subset of the size drawn (`conditional_bernoulli`), or one whose members
depend on each other (`coupled_bernoulli`).
"""

import torch
from torch import Tensor, nn

from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.split.coupled_bernoulli import Coupling
from graphs.generators.contraction.split.distribution import SplitDistribution
from graphs.generators.contraction.state.edge_tokens import between, spread
from graphs.generators.contraction.state.partition import Partition


class SplitHead(nn.Module):
    """Hidden states of clusters and edges to a `SplitDistribution`.

    Args:
        dim: Width d.
        digits: Numbers g in a cluster's code.
        values: Values of a number.
        connected: Whether all graphs are.
        valence_limits: Splits that exceed them are drawn again; None allows all.
        coupled: Whether the half-edges of a cluster depend on each other.
        smooth: Whether logits of numbers beyond 8 are interpolated, see `interpolation`.
        kinds: Count of edge labels where edges are no tokens; else None.
    """

    def __init__(
        self,
        dim: int,
        digits: int,
        values: int,
        connected: bool,
        valence_limits: ValenceLimits | None = None,
        coupled: bool = False,
        smooth: bool = False,
        kinds: int | None = None,
    ) -> None:
        super().__init__()
        self.valence_limits = valence_limits
        self.label = None if kinds is None else nn.Embedding(kinds, dim)
        self.values, self.connected = values, connected
        self.enter = nn.Linear(dim, dim)
        self.place = nn.Parameter(0.02 * torch.randn(digits, dim))
        self.knots: Tensor | None
        self.register_buffer("knots", interpolation(values) if smooth else None, persistent=False)
        rows = values if self.knots is None else len(self.knots)
        self.past = nn.Parameter(0.02 * torch.randn(digits, rows, dim))
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(dim, dim), nn.GELU())
        self.out = nn.Parameter(torch.randn(digits, dim, rows) * dim**-0.5)
        self.out_bias = nn.Parameter(torch.zeros(digits, rows))
        self.edge = nn.Linear(dim, dim)
        self.owner = nn.Linear(dim, dim, bias=False)
        self.stay = nn.Sequential(nn.GELU(), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, 1))
        self.coupling = Coupling(dim) if coupled else None

    def forward(
        self, hidden: Tensor, state: Partition, k: int, valid: Tensor | None = None
    ) -> SplitDistribution:
        """Distribution of the splits of a state."""
        if self.label is None:
            hidden = spread(hidden, state)
        else:
            hidden = torch.cat([hidden, between(hidden, state)], 1)
        return SplitDistribution(self, state, ((1.0, self, hidden),))

    @property
    def numbers(self) -> int:
        """Numbers g in a cluster's code."""
        return len(self.place)

    def entered(self, hidden: Tensor) -> Tensor:
        """(r, d) hidden states of clusters, as `next_logits` takes them."""
        entered: Tensor = self.enter(hidden)
        return entered

    def number_logits(self, hidden: Tensor, code: Tensor, row: Tensor, digit: Tensor) -> Tensor:
        """(p, values) of numbers of a code, each given those before it.

        Args:
            hidden: (r, d) of clusters.
            code: (r, g); logits 0..i do not depend on number i.
            row: (p,) the row of `code` of each number.
            digit: (p,) the column of each, in ascending order.
        """
        past = self.history(code)
        before = past.cumsum(1) - past
        x = self.mix(self.enter(hidden)[row] + self.place[digit] + before[row, digit])
        parts = x.split(digit.bincount(minlength=len(self.place)).tolist())
        each = [part @ out for part, out in zip(parts, self.out, strict=True)]
        return self._values(torch.cat(each) + self.out_bias[digit])

    def history(self, code: Tensor) -> Tensor:
        """(r, g, d): what each number adds to the memory."""
        digit = torch.arange(code.shape[1], device=code.device)
        past: Tensor = self.past
        if self.knots is not None:
            past = torch.einsum("gkd,kv->gvd", past, self.knots)
        flat = past.flatten(0, 1).index_select(0, (digit * self.values + code).flatten())
        return flat.view(*code.shape, past.shape[2])

    def remembered(self, number: Tensor, i: int) -> Tensor:
        """(r, d) what number i (r,) adds to the memory."""
        if self.knots is None:
            return self.past[i].index_select(0, number)
        return self.knots.T.index_select(0, number) @ self.past[i]

    def next_logits(self, entered: Tensor, memory: Tensor, i: int) -> Tensor:
        """(r, values) of number i, from `entered` (r, d) and the memory (r, d) of those before."""
        mixed: Tensor = self.mix(entered + self.place[i] + memory)
        return self._values(mixed @ self.out[i] + self.out_bias[i])

    def _values(self, logits: Tensor) -> Tensor:
        """Logits (..., values) of all values from those of the knots."""
        return logits if self.knots is None else logits @ self.knots

    def edge_states(self, edge: Tensor, label: Tensor) -> Tensor:
        """(t, d) states of half-edges, from those of their edges and their labels (t,)."""
        return edge if self.label is None else edge + self.label(label)

    def stay_logits(self, cluster: Tensor, edge: Tensor, code: Tensor) -> Tensor:
        """(t,) logits that a half-edge stays with the first child.

        Args:
            cluster: (t, d) hidden states of its cluster.
            edge: (t, d) its own states.
            code: (t, g) of the cluster.
        """
        logit: Tensor = self.stay(
            self.edge(edge) + self.owner(cluster) + self.history(code).sum(1)
        )
        return logit[:, 0]


def interpolation(values: int, ratio: float = 1.08) -> Tensor:
    """(k, values): each number as a mixture of the two knots about it.

    Every number up to 8 is a knot; from there on each is `ratio` times the one before.

    >>> interpolation(12)[8:, 8:].T.sum(1).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    knots = [float(k) for k in range(min(values, 9))]
    while knots[-1] < values - 1:
        knots.append(min(max(knots[-1] * ratio, knots[-1] + 1), values - 1.0))
    place = torch.tensor(knots)
    value = torch.arange(values).float()
    after = torch.searchsorted(place, value).clamp(min=1, max=max(1, len(knots) - 1))
    table = torch.zeros(len(knots), values)
    if len(knots) == 1:
        return table + 1
    share = (value - place[after - 1]) / (place[after] - place[after - 1])
    each = torch.arange(values)
    table[after, each] = share
    table[after - 1, each] += 1 - share
    return table
