"""Drawing splits, freely or so that they meet a demand.

Under a demand every number is drawn from its law within narrower bounds. The product of what these
laws lose on the way is an unbiased estimate of the probability that a free draw meets the demand,
which importance sampling needs.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graphs.generators.contraction.split import conditional_bernoulli as subset
from graphs.generators.contraction.split import coupled_bernoulli as coupled
from graphs.generators.contraction.split.bounds import Budget, Demand
from graphs.generators.contraction.split.half_edges import Ends
from graphs.generators.contraction.split.law import bounded
from refine_core.head import CodeDistribution
from refine_core.noise import Noise

if TYPE_CHECKING:
    from graphs.generators.contraction.split.distribution import SplitDistribution

FREE, FIRST, SECOND = 0, 1, 2  # where the end of an edge has to go
_NEVER = -1e4


def draw(
    dist: "SplitDistribution",
    noise: Noise,
    demand: Demand | None = None,
    forced: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Codes (b, m + e, g), and the logarithm (b, m) of the share of each split's law left over.

    Args:
        dist: Of the splits of b graphs of m clusters and e edges.
        noise: Names the graphs.
        demand: Of the clusters that split.
        forced: (b, e, 2) where each edge's ends have to go: `FREE`, `FIRST`, `SECOND` child;
            agrees with `demand.outer`.
    """
    state, m = dist.state, dist.state.valid.shape[1]
    rows, share = _numbers(dist, noise, demand)
    code = rows.new_zeros(*dist.valid.shape, rows.shape[1])
    code[:, :m][state.split] = rows
    ends = Ends.of(state)
    if len(ends.row):
        ends, pair = dist.couple(ends)
        stays, kept = _ends(dist, ends, pair, rows, noise, forced)
        if pair is not None:
            stay = ends.table(stays, False).sum(1)
            rows[ends.owner, ends.label + dist.drawn] = stay
            code[:, :m][state.split] = rows
        code[ends.graph, m + ends.slot, ends.side] = (~stays).long()
        share = share.index_add(0, ends.owner, kept)
    result = share.new_zeros(state.valid.shape)
    result[state.split] = share
    return code, result


def _numbers(
    dist: "SplitDistribution", noise: Noise, demand: Demand | None
) -> tuple[Tensor, Tensor]:
    """Numbers (r, g) of the clusters that split, one after the other; log-shares (r,)."""
    state, head = dist.state, dist.head
    budget = Budget.of(state, head.connected, demand)
    free = budget if demand is None else Budget.of(state, head.connected)
    m = state.valid.shape[1]
    rows = state.nodes.new_zeros(len(budget.nodes), budget.digits)
    uniform = noise.uniform(0, m, budget.digits)[state.split]
    entered = [(w, head.enter(h[:, :m][state.split])) for w, h in dist.hidden]
    memory = torch.zeros_like(entered[0][1])
    share = memory.new_zeros(len(rows))
    for i in range(dist.drawn):
        low, high = (bound[:, i] for bound in budget.bounds(rows))
        wide = (low, high) if demand is None else [bound[:, i] for bound in free.bounds(rows)]
        if bool((wide[0] == wide[1]).all()):
            rows[:, i] = low
        else:
            each = [w * head.next_logits(h, memory, i) for w, h in entered]
            logits = torch.stack(each).sum(0)
            within = bounded(logits, low, high)
            number = CodeDistribution(within[:, None, None])
            number = number.sharpened(dist.temperature, dist.top_k, dist.top_p)
            rows[:, i] = number.inverse(uniform[:, i, None, None])[:, 0, 0]
            if demand is not None:
                share = share + _share(within, bounded(logits, *wide), dist.temperature)
        memory = memory + head.remembered(rows[:, i], i)
    return rows, share


def _ends(
    dist: "SplitDistribution",
    ends: Ends,
    pair: Tensor | None,
    rows: Tensor,
    noise: Noise,
    forced: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Whether ends (t,) stay with the first child; log-shares of each row of ends."""
    table = ends.table(dist.stay(ends, rows) / max(dist.temperature, 1e-3), _NEVER)
    size = rows[ends.owner, ends.label + rows.shape[1] - dist.state.inner.shape[2]]
    edges = dist.state.real.shape[1]
    draws = noise.uniform(1, edges, 2)[ends.graph, ends.slot, ends.side]
    draws = ends.table(draws, 1.0)
    if pair is not None:
        want = None if forced is None else forced[ends.graph, ends.slot, ends.side]
        demands = [None if want is None else ends.table(want == k, False) for k in (FIRST, SECOND)]
        pair = pair / max(dist.temperature, 1e-3)
        stays, kept = coupled.sample(table, pair, ends.real, draws, *demands)
        return stays[ends.row, ends.place], kept
    if forced is None:
        stays = subset.sample(table, size, draws)
        return stays[ends.row, ends.place], table.new_zeros(len(table))
    want = forced[ends.graph, ends.slot, ends.side]
    inside = ends.table(want == FIRST, False)
    free = table.masked_fill(ends.table(want != FREE, False), _NEVER)
    left = size - inside.sum(1)
    stays = subset.sample(free, left, draws) | inside
    kept = torch.where(inside, table, 0).sum(1)
    share = kept + _normaliser(free, left) - _normaliser(table, size)
    # Rows without a forced end lose nothing, which rounding might hide.
    share = torch.where(ends.table(want != FREE, False).any(1), share.clamp(max=0), 0)
    return stays[ends.row, ends.place], share


def _normaliser(table: Tensor, size: Tensor) -> Tensor:
    return subset.log_normaliser(table, size)[:, 0].gather(1, size[:, None])[:, 0]


def _share(within: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """(r,) log of the mass of `logits` that `within` leaves."""
    scale = max(temperature, 1e-3)
    return (within / scale).logsumexp(1) - (logits / scale).logsumexp(1)
