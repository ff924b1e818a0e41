"""Random subsets whose members depend on each other: an autoregressive Bernoulli distribution.

    logit p(s_i = 1 | s_<i) = l_i + sum_{j < i} (2 s_j - 1) B_ij

Elements are the half-edges at a cluster that splits; members stay with the first child. They come
in an order in which each is near an earlier one, so that a decision can follow its neighbours':
where a planar graph is cut in two, for example, the neighbours of a cluster fall into two arcs.
The number of members is not drawn first; it follows.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.data.edge_list import sparse_product
from graphs.generators.contraction.split.half_edges import HalfEdges
from graphs.generators.contraction.state.partition import Partition

KINDS, WIDTH = 4, 16


class Coupling(nn.Module):
    """The couplings B, from the states of two half-edges and how their other ends are related.

    Args:
        dim: Width d of hidden states.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.later = nn.Linear(dim, KINDS * WIDTH)
        self.earlier = nn.Linear(dim, WIDTH)
        self.kind = nn.Parameter(torch.zeros(KINDS))

    def forward(self, hidden: Tensor, kinds: Tensor) -> Tensor:
        """(r, D, D) from hidden states (r, D, d) and kinds (r, D, D) of `pair_kinds`."""
        later = self.later(hidden).unflatten(2, (KINDS, WIDTH))
        each = torch.einsum("rikc,rjc->rijk", later, self.earlier(hidden)) / WIDTH**0.5
        result: Tensor = (each + self.kind).gather(3, kinds[..., None])[..., 0]
        return result


def cluster_kinds(state: Partition) -> Tensor:
    """(b, m, m) int64, how two clusters are related, as the other ends of edges of a third.

    0 they are the same, 1 they are joined, 2 they have a common neighbour besides the third, 3
    none of these.
    """
    joined = state.joined
    common = sparse_product(joined, joined.float()) > 1
    kinds = torch.where(joined, 1, torch.where(common, 2, 3))
    kinds.diagonal(dim1=1, dim2=2).zero_()
    return kinds


def pair_kinds(kinds: Tensor, state: Partition, half_edges: HalfEdges) -> Tensor:
    """(r, D, D) int64, the `cluster_kinds` (b, m, m) of the far ends of half-edges of one row."""
    far = state.ends[half_edges.graph, half_edges.slot, 1 - half_edges.side]
    other = half_edges.table(far, 0)
    graph = half_edges.table(half_edges.graph, 0)[:, :1, None]
    return kinds[graph, other[:, :, None], other[:, None]]


def ordered(half_edges: HalfEdges, kinds: Tensor) -> tuple[HalfEdges, Tensor]:
    """Place half-edges in their rows so that each is as near as possible to one before it.

    Args:
        half_edges: In rows.
        kinds: (r, D, D) of `pair_kinds`; smaller is nearer.

    Returns:
        The half-edges, and the kinds in the new order.
    """
    rows, wide = kinds.shape[:2]
    waiting = half_edges.real
    # The nearest comes next; of several, the one nearest to the latest; of these the first.
    near = torch.full((rows, wide), float(KINDS), device=kinds.device)
    row, order = torch.arange(rows, device=kinds.device), []
    for _ in range(wide):
        chosen = torch.where(waiting, near, torch.inf).argmin(1)
        order.append(chosen)
        waiting[row, chosen] = False
        near = torch.minimum(near + 0.01, kinds[row, chosen].float())
    if not wide:
        return half_edges, kinds
    turn = torch.stack(order, 1)
    # Padding is chosen last, and repeatedly the first element: count only what was waiting.
    rank = torch.full((rows, wide), wide, device=kinds.device)
    rank = rank.scatter_reduce(
        1, turn, torch.arange(wide, device=turn.device).expand(rows, -1), "amin"
    )
    place = rank[half_edges.row, half_edges.place]
    moved = replace(half_edges, place=place)
    source = moved.table(half_edges.place, 0)
    kinds = kinds.gather(1, source[:, :, None].expand(-1, -1, wide))
    return moved, kinds.gather(2, source[:, None].expand(-1, wide, -1))


def log_prob(logits: Tensor, pair: Tensor, real: Tensor, chosen: Tensor) -> Tensor:
    """Log-probability (r,) of subsets.

    Args:
        logits: (r, D).
        pair: (r, D, D) couplings, of which those below the diagonal count.
        real: (r, D) bool, False at padding, which comes last.
        chosen: (r, D) bool.
    """
    sign = torch.where(chosen, 1.0, -1.0) * real
    field = logits + (pair.tril(-1) * sign[:, None]).sum(2)
    return (F.logsigmoid(sign * field) * real).sum(1)


def sample(
    logits: Tensor,
    pair: Tensor,
    real: Tensor,
    uniform: Tensor,
    inside: Tensor | None = None,
    outside: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Subsets (r, D) bool, and the log-probability (r,) of what was forced, given the rest.

    Args:
        logits: (r, D).
        pair: (r, D, D), as of `log_prob`.
        real: (r, D) bool, likewise.
        uniform: (r, D).
        inside: (r, D) bool, elements that have to be members.
        outside: (r, D) bool, elements that must not.
    """
    nothing = torch.zeros_like(real)
    inside = nothing if inside is None else inside & real
    outside = nothing if outside is None else outside & real
    chosen, nats = torch.zeros_like(real), logits.new_zeros(len(logits))
    sign = torch.zeros_like(logits)
    for i in range(logits.shape[1]):
        logit = logits[:, i] + (pair[:, i] * sign).sum(1)
        take = (uniform[:, i] < logit.sigmoid()) | inside[:, i]
        take = take & ~outside[:, i] & real[:, i]
        sign[:, i] = torch.where(take, 1.0, -1.0) * real[:, i]
        forced = inside[:, i] | outside[:, i]
        nats = nats + torch.where(forced, F.logsigmoid(sign[:, i] * logit), 0)
        chosen[:, i] = take
    return chosen, nats
