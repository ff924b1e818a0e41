"""From hidden states to the distribution of splits.

The numbers of one cluster's code depend on each other, so they are drawn one after the other by a
small network behind the transformer (as RQ-Transformer draws the digits of a residual code, Lee
et al., arXiv 2203.01941), within the bounds of `graphs.budget`. Which edges stay with the first
child is then a random subset of the number drawn (`graphs.subset`).
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs import subset
from graphs.budget import Budget
from graphs.partition import Partition
from graphs.support import Support
from refine_core.noise import Noise

TRIES = 20


class SplitHead(nn.Module):
    """Hidden states of clusters and edges to a `SplitDistribution`.

    Args:
        dim: Width d.
        digits: Numbers g in a cluster's code.
        values: Values of a number.
        connected: Whether all graphs are.
        support: Splits outside of it are drawn again; None allows all.
    """

    def __init__(
        self, dim: int, digits: int, values: int, connected: bool, support: Support | None = None
    ) -> None:
        super().__init__()
        self.support = support
        self.values, self.connected = values, connected
        self.enter = nn.Linear(dim, dim)
        self.place = nn.Parameter(0.02 * torch.randn(digits, dim))
        self.past = nn.Parameter(0.02 * torch.randn(digits, values, dim))
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(dim, dim), nn.GELU())
        self.out = nn.Parameter(torch.randn(digits, dim, values) * dim**-0.5)
        self.out_bias = nn.Parameter(torch.zeros(digits, values))
        self.edge = nn.Linear(dim, dim)
        self.owner = nn.Linear(dim, dim, bias=False)
        self.stay = nn.Sequential(nn.GELU(), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, 1))

    def forward(
        self, hidden: Tensor, state: Partition, k: int, valid: Tensor | None = None
    ) -> "SplitDistribution":
        """Distribution of the splits of a state."""
        return SplitDistribution(self, state, ((1.0, hidden),))

    def number_logits(self, hidden: Tensor, code: Tensor) -> Tensor:
        """(r, g, values) of every number given those before it.

        Args:
            hidden: (r, d) of clusters.
            code: (r, g); number i is not looked at for logits 0..i.
        """
        past = self.history(code)
        before = past.cumsum(1) - past
        x = self.mix(self.enter(hidden)[:, None] + self.place + before)
        return torch.einsum("rgd,gdv->rgv", x, self.out) + self.out_bias

    def history(self, code: Tensor) -> Tensor:
        """(r, g, d): what each number adds to the memory."""
        digit = torch.arange(code.shape[1], device=code.device)
        flat = self.past.flatten(0, 1).index_select(0, (digit * self.values + code).flatten())
        return flat.view(*code.shape, -1)

    def next_logits(self, hidden: Tensor, memory: Tensor, i: int) -> Tensor:
        """(r, values) of number i; `hidden` (r, d) after `enter`, `memory` (r, d)."""
        mixed: Tensor = self.mix(hidden + self.place[i] + memory)
        return mixed @ self.out[i] + self.out_bias[i]

    def stay_logits(self, cluster: Tensor, edge: Tensor, code: Tensor) -> Tensor:
        """(t,) logits that an edge stays with the first child.

        Args:
            cluster: (t, d) hidden states of the cluster at its end.
            edge: (t, d) of the edge.
            code: (t, g) of the cluster.
        """
        logit: Tensor = self.stay(
            self.edge(edge) + self.owner(cluster) + self.history(code).sum(1)
        )
        return logit[:, 0]


@dataclass(frozen=True)
class _Ends:
    """The ends of edges at clusters that split, t of them, gathered into rows of one label.

    Args:
        graph, slot, side, cluster: (t,) which end: of which graph, edge, side, at which cluster.
        row: (t,) row of each, all of one cluster and one label.
        place: (t,) place in its row.
        rows: Count of rows.
        owner: (rows,) number of the row's cluster among those that split.
        label: (rows,) of the row's edges.
    """

    graph: Tensor
    slot: Tensor
    side: Tensor
    cluster: Tensor
    row: Tensor
    place: Tensor
    owner: Tensor
    label: Tensor

    @classmethod
    def of(cls, state: Partition) -> "_Ends":
        number = state.split.flatten().cumsum(0).view_as(state.split) - 1
        kinds = state.inner.shape[2]
        at = torch.zeros_like(state.ends).bool()
        if state.real.shape[1]:
            at = state.split.gather(1, state.ends.flatten(1)).view_as(state.ends)
        graph, slot, side = torch.nonzero(at & state.real[:, :, None], as_tuple=True)
        cluster = state.ends[graph, slot, side]
        key = number[graph, cluster] * kinds + state.label[graph, slot]
        order = key.argsort(stable=True)
        graph, slot, side, cluster, key = (x[order] for x in (graph, slot, side, cluster, key))
        names, row, count = torch.unique_consecutive(key, return_inverse=True, return_counts=True)
        place = torch.arange(len(key), device=key.device) - (count.cumsum(0) - count)[row]
        return cls(graph, slot, side, cluster, row, place, names // kinds, names % kinds)

    def table(self, values: Tensor, fill: float) -> Tensor:
        """(rows, D) of values (t,)."""
        wide = int(self.place.max()) + 1 if len(self.place) else 0
        table = values.new_full((len(self.owner), wide), fill)
        table[self.row, self.place] = values
        return table


@dataclass(frozen=True)
class SplitDistribution:
    """Distribution of the codes (b, m + e, g) of the splits of a state.

    Args:
        head: Its parameters.
        state: What splits.
        hidden: Weights and hidden states (b, m + e, d), whose logits are added up; several where
            sampling is guided.
        temperature: Divides all logits; 0 takes the likeliest.
    """

    head: SplitHead
    state: Partition
    hidden: tuple[tuple[float, Tensor], ...]
    temperature: float = 1.0

    @property
    def valid(self) -> Tensor:
        """(b, m + e): clusters that split; the edges' part of the code counts as theirs."""
        return F.pad(self.state.split, (0, self.state.real.shape[1]))

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, m + e), each cluster's with that of its edges; else zero.

        Minus infinity where a number is larger than the model knows.
        """
        state, m = self.state, self.state.valid.shape[1]
        given = code[:, :m][state.split]
        rows = given.clamp(max=self.head.values - 1)
        low, high = Budget.of(state, self.head.connected).bounds(given)
        logits = self._sum(lambda h: self.head.number_logits(h[:, :m][state.split], rows))
        logits = _bounded(logits, low, high)
        total = -F.cross_entropy(logits.flatten(0, 1), rows.flatten(), reduction="none")
        total = total.view_as(rows).sum(1).masked_fill((rows < given).any(1), -torch.inf)
        ends = _Ends.of(state)
        if len(ends.row):
            stays = code[ends.graph, m + ends.slot, ends.side] == 0
            table = ends.table(self._stay(ends, rows), -1e4)
            subsets = subset.log_prob(table, ends.table(stays, False))
            total = total.index_add(0, ends.owner, subsets)
        result = total.new_zeros(code.shape[:2])
        result[:, :m][state.split] = total
        return result

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes, in nats."""
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, m + e, g); splits that leave the support are drawn again, `TRIES` times.

        So the law is that of `log_prob` given the support, whose probability `log_prob` leaves
        out: it is a lower bound.
        """
        code, m = self._once(noise), self.state.valid.shape[1]
        support = self.head.support
        if support is None:
            return code
        for attempt in range(1, TRIES):
            wrong = support.violated(self.state, code)
            if not bool(wrong.any()):
                break
            part = replace(self, state=replace(self.state, split=wrong))
            again = part._once(noise.fork(attempt))
            code[:, :m][wrong] = again[:, :m][wrong]
            if self.state.real.shape[1]:
                ends = wrong.gather(1, self.state.ends.flatten(1)).view_as(self.state.ends)
                code[:, m:, :2] = torch.where(ends, again[:, m:, :2], code[:, m:, :2])
        return code

    def _once(self, noise: Noise) -> Tensor:
        state, m = self.state, self.state.valid.shape[1]
        budget = Budget.of(state, self.head.connected)
        rows = state.nodes.new_zeros(int(state.split.sum()), budget.digits)
        uniform = noise.uniform(0, m, budget.digits)[state.split]
        entered = [(w, self.head.enter(h[:, :m][state.split])) for w, h in self.hidden]
        memory = torch.zeros_like(entered[0][1])
        for i in range(budget.digits):
            low, high = (bound[:, i] for bound in budget.bounds(rows))
            if bool((low == high).all()):
                rows[:, i] = low
            else:
                each = [w * self.head.next_logits(h, memory, i) for w, h in entered]
                logits = torch.stack(each).sum(0)
                rows[:, i] = self._draw(_bounded(logits, low, high), uniform[:, i])
            memory = memory + self.head.past[i].index_select(0, rows[:, i])
        code = rows.new_zeros(*self.valid.shape, budget.digits)
        code[:, :m][state.split] = rows
        ends = _Ends.of(state)
        if len(ends.row):
            table = ends.table(self._stay(ends, rows) / max(self.temperature, 1e-3), -1e4)
            kinds = state.inner.shape[2]
            size = rows[ends.owner, ends.label + budget.digits - kinds]
            draws = noise.uniform(1, state.real.shape[1], 2)[ends.graph, ends.slot, ends.side]
            stays = subset.sample(table, size, ends.table(draws, 1.0))[ends.row, ends.place]
            code[ends.graph, m + ends.slot, ends.side] = (~stays).long()
        return code

    def guided(self, unconditional: "SplitDistribution", weight: float) -> "SplitDistribution":
        """Classifier-free guidance on logits (arXiv 2207.12598)."""
        strong = tuple((w * (1 + weight), h) for w, h in self.hidden)
        return replace(
            self, hidden=strong + tuple((-weight * w, h) for w, h in unconditional.hidden)
        )

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> "SplitDistribution":
        """With a temperature; splits know neither top-k nor top-p."""
        return replace(self, temperature=temperature)

    def _sum(self, logits: Any) -> Tensor:
        total: Tensor = sum(w * logits(h) for w, h in self.hidden)
        return total

    def _stay(self, ends: _Ends, rows: Tensor) -> Tensor:
        m = self.state.valid.shape[1]
        codes = rows[ends.owner[ends.row]]
        return self._sum(
            lambda h: self.head.stay_logits(
                h[ends.graph, ends.cluster], h[ends.graph, m + ends.slot], codes
            )
        )

    def _draw(self, logits: Tensor, uniform: Tensor) -> Tensor:
        if self.temperature == 0:
            return logits.argmax(1)
        cumulative = (logits / self.temperature).softmax(1).cumsum(1)
        passed = (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(1)
        last = (cumulative < cumulative[:, -1:]).sum(1)
        return torch.minimum(passed, last)


def _bounded(logits: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Logits (..., values) with minus infinity outside of [low, high]."""
    value = torch.arange(logits.shape[-1], device=logits.device)
    outside = (value < low[..., None]) | (value > high[..., None])
    return logits.masked_fill(outside, -torch.inf)
