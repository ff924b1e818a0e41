"""Samples of splits, free ones or such that meet a demand.

Under a demand every number is drawn from its law within narrower bounds. The product of the shares
of these laws that lie within the bounds is an unbiased estimate of the probability that a free
draw meets the demand, which importance sampling needs.
"""

import torch
from torch import Tensor

from graphs.generators.common.streams import SplitStream
from graphs.generators.contraction.split import conditional_bernoulli as subset
from graphs.generators.contraction.split.bounds import INNER, JOIN, NODES, OUTER, Budget, Demand
from graphs.generators.contraction.split.half_edges import HalfEdges
from graphs.generators.contraction.split.law import SplitLaw, bounded
from graphs.generators.contraction.split.numbers import Columns
from graphs.generators.contraction.state.partition import Partition
from refine_core.noise import Noise

LETTERS = 64  # labels of a graph whose random numbers are drawn at once
FREE, FIRST, SECOND = 0, 1, 2  # the child that a half-edge has to go to, if any
EDGES = (INNER, JOIN, OUTER)
_NEVER = -1e4


def sample(
    law: SplitLaw,
    noise: Noise,
    demand: Demand | None = None,
    forced: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Codes (b, m + e, g), and the logarithm (b, m) of the share of each split's law left over.

    Args:
        law: Distribution of the splits of b graphs of m clusters and e edges.
        noise: Names the graphs.
        demand: Demand of the clusters that split.
        forced: (b, e, 2) the child that each half-edge has to go to, `FREE`, `FIRST` or `SECOND`;
            agrees with `demand.outer`.
    """
    state, m = law.state, law.state.valid.shape[1]
    rows, columns, share = _numbers(law, noise, demand)
    code = rows.new_zeros(*law.valid.shape, columns.digits)
    for half_edges in law.half_edges():
        stays, left = _half_edges(law, half_edges, columns, rows, noise, forced)
        share = share.index_add(0, half_edges.owner, left)
        code[half_edges.graph, m + half_edges.slot, half_edges.side] = (~stays).long()
    code[:, :m][state.split] = columns.whole(rows)
    result = share.new_zeros(state.valid.shape)
    result[state.split] = share
    return code, result


def _numbers(law: SplitLaw, noise: Noise, demand: Demand | None) -> tuple[Tensor, Columns, Tensor]:
    """Compact codes (r, c) of the clusters that split, number by number; log-shares (r,)."""
    state, head = law.state, law.head
    labels = head.labels
    known = (head.connected, None, head.valence_limits)
    free, columns = Budget.of(state, *known).compact(labels)
    budget = free
    if demand is not None:
        budget = Budget.of(state, head.connected, demand, head.valence_limits).compact(labels)[0]
    rows = torch.zeros_like(columns.place)
    uniform = _uniform(state, noise, rows.shape[1], labels)
    m = state.valid.shape[1]
    entered = [own.numbers.entered(h[:, :m][state.split]) for _, own, h in law.hidden]
    memory = {own: torch.zeros_like(entered[0]).float() for _, own, _ in law.hidden}
    share = entered[0].new_zeros(len(rows))

    def logits_of(digit: Tensor, cap: Tensor) -> Tensor:
        return law.weighted(lambda own, h: own.numbers.logits(h, memory[own], digit, cap), entered)

    # Of what no cluster holds there is nothing to count.
    for i in columns.cap.any(0).nonzero()[:, 0].tolist():
        low, high = _bounds(budget, rows, i)
        wide = (low, high) if demand is None else _bounds(free, rows, i)
        digit, cap = columns.digit[:, i], columns.cap[:, i]
        if bool((wide[0] == wide[1]).all()):
            rows[:, i] = low
        else:
            logits = logits_of(digit, cap)
            within = bounded(logits, low, high)
            rows[:, i] = law.drawn(within, uniform[:, i])
            if demand is not None:
                share = share + law.log_share(within, bounded(logits, *wide))
        for own in memory:
            memory[own] = memory[own] + own.numbers.remembered(digit, rows[:, i], cap)
    return rows, columns, share


def _uniform(state: Partition, noise: Noise, columns: int, labels: int) -> Tensor:
    """(r, c) random numbers, of which one that a digit takes depends on its own graph alone."""
    edges = 3 * state.inner.shape[2]
    letters, first = columns - edges, min(labels, LETTERS)
    graph, cluster = state.split.nonzero(as_tuple=True)
    own, column = noise.rows(graph), torch.arange(columns, device=graph.device)
    place = column - (letters - first) * (column >= letters)
    found = own.uniform_at(SplitStream.NUMBERS, cluster[:, None] * (first + edges) + place)
    for start in range(LETTERS, letters, LETTERS):
        block = column[start : min(start + LETTERS, letters)]
        place = cluster[:, None] * LETTERS + block - start
        further = own.fork(-(start // LETTERS)).uniform_at(SplitStream.NUMBERS, place)
        found[:, block] = further
    return found


def _bounds(budget: Budget, rows: Tensor, i: int) -> tuple[Tensor, Tensor]:
    """Smallest and largest value (r,) of digit i of compact codes (r, c), given those before."""
    kinds = budget.inner.shape[1]
    behind = i - (rows.shape[1] - 3 * kinds)
    group, at = (NODES, i) if behind < 0 else (EDGES[behind // kinds], behind % kinds)
    low, high = budget.bounds(rows, group)
    return low[:, at], high[:, at]


def _half_edges(
    law: SplitLaw,
    half_edges: HalfEdges,
    columns: Columns,
    rows: Tensor,
    noise: Noise,
    forced: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Whether half-edges (t,) stay with the first child; log-shares of each row of them."""
    at = (half_edges.graph, half_edges.slot, half_edges.side)
    scale = max(law.temperature, 1e-3)
    table = half_edges.table(law.stay_logits(half_edges, columns, rows) / scale, _NEVER)
    place = 2 * half_edges.slot + half_edges.side
    drawn = noise.rows(half_edges.graph).uniform_at(SplitStream.HALF_EDGES, place[:, None])
    uniform = half_edges.table(drawn[:, 0], 1.0)
    want = None if forced is None else half_edges.table(forced[at], FREE)
    size = rows[half_edges.owner, half_edges.label + rows.shape[1] - law.state.inner.shape[2]]
    stays, share = _subsets(table, size, uniform, want)
    return stays[half_edges.row, half_edges.place], share


def _subsets(
    table: Tensor, size: Tensor, uniform: Tensor, want: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Subsets (rows, D) of given sizes (rows,) that stay; log-shares (rows,)."""
    if want is None:
        return subset.sample(table, size, uniform), table.new_zeros(len(table))
    inside = want == FIRST
    free = table.masked_fill(want != FREE, _NEVER)
    left = size - inside.sum(1)
    stays = subset.sample(free, left, uniform) | inside
    share = torch.where(inside, table, 0).sum(1)
    share = share + _normaliser(free, left) - _normaliser(table, size)
    # Rows without a forced half-edge lose nothing, which rounding might hide.
    return stays, torch.where((want != FREE).any(1), share.clamp(max=0), 0)


def _normaliser(table: Tensor, size: Tensor) -> Tensor:
    return subset.log_normaliser(table, size)[:, 0].gather(1, size[:, None])[:, 0]
