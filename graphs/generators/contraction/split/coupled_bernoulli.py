"""Random subsets whose members know of each other.

    logit p(s_i = 1 | s_<i) = l_i + sum_{j < i} (2 s_j - 1) B_ij

Elements are the ends of edges at a cluster that splits; members stay with the first child. They
come in an order in which each is near an earlier one, so that a decision can follow its
neighbours': the halves of a planar graph, for one, part its neighbours in two arcs. How many there
are is not drawn before, for nobody knows how long the arcs are until they are drawn.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.generators.contraction.split.half_edges import Ends
from graphs.generators.contraction.state import Partition

KINDS, WIDTH = 4, 16


class Coupling(nn.Module):
    """The numbers B, from what two edges of a cluster are to each other.

    Args:
        dim: Width d of hidden states.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.later = nn.Linear(dim, KINDS * WIDTH)
        self.earlier = nn.Linear(dim, WIDTH)
        self.kind = nn.Parameter(torch.zeros(KINDS))

    def forward(self, hidden: Tensor, kinds: Tensor) -> Tensor:
        """(r, D, D) from hidden states (r, D, d) and kinds (r, D, D) of `kinship`."""
        later = self.later(hidden).unflatten(2, (KINDS, WIDTH))
        each = torch.einsum("rikc,rjc->rijk", later, self.earlier(hidden)) / WIDTH**0.5
        result: Tensor = (each + self.kind).gather(3, kinds[..., None])[..., 0]
        return result


def kinship(state: Partition, ends: Ends) -> Tensor:
    """(r, D, D) int64, how the other ends of two edges of one cluster stand to each other.

    0 they are one cluster, 1 they are joined, 2 they have a common neighbour besides that cluster,
    3 none of it.
    """
    joined = state.joined.float()
    common = joined @ joined > 1
    kinds = torch.where(joined > 0, 1, torch.where(common, 2, 3))
    itself = torch.eye(kinds.shape[1], dtype=torch.bool, device=kinds.device)
    kinds = kinds.masked_fill(itself, 0)
    other = ends.table(state.ends[ends.graph, ends.slot, 1 - ends.side], 0)
    graph = ends.table(ends.graph, 0)[:, :1, None]
    return kinds[graph, other[:, :, None], other[:, None]]


def ordered(ends: Ends, kinds: Tensor) -> tuple[Ends, Tensor]:
    """Ends so placed in their rows that each is as near as can be to one before it.

    Args:
        ends: Rows of ends.
        kinds: (r, D, D) of `kinship`; smaller is nearer.

    Returns:
        The ends, and the kinds in the new order.
    """
    rows, wide = kinds.shape[:2]
    waiting = ends.table(torch.ones_like(ends.place).bool(), False)
    # Of the nearest, the one that is near to the latest; of these the first.
    near = torch.full((rows, wide), float(KINDS), device=kinds.device)
    row, order = torch.arange(rows, device=kinds.device), []
    for _ in range(wide):
        chosen = torch.where(waiting, near, torch.inf).argmin(1)
        order.append(chosen)
        waiting[row, chosen] = False
        near = torch.minimum(near + 0.01, kinds[row, chosen].float())
    if not wide:
        return ends, kinds
    turn = torch.stack(order, 1)
    # Padding is chosen last, and repeatedly the first element: count only what was waiting.
    rank = torch.full((rows, wide), wide, device=kinds.device)
    rank = rank.scatter_reduce(
        1, turn, torch.arange(wide, device=turn.device).expand(rows, -1), "amin"
    )
    place = rank[ends.row, ends.place]
    moved = replace(ends, place=place)
    source = moved.table(ends.place, 0)
    kinds = kinds.gather(1, source[:, :, None].expand(-1, -1, wide))
    return moved, kinds.gather(2, source[:, None].expand(-1, wide, -1))


def log_prob(logits: Tensor, pair: Tensor, real: Tensor, chosen: Tensor) -> Tensor:
    """Log-probability (r,) of subsets.

    Args:
        logits: (r, D).
        pair: (r, D, D), of which what lies below the diagonal counts.
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
    """Subsets (r, D) bool, and the log-probability (r,) of what was demanded, given the rest.

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
    chosen, share = torch.zeros_like(real), logits.new_zeros(len(logits))
    sign = torch.zeros_like(logits)
    for i in range(logits.shape[1]):
        logit = logits[:, i] + (pair[:, i] * sign).sum(1)
        take = (uniform[:, i] < logit.sigmoid()) | inside[:, i]
        take = take & ~outside[:, i] & real[:, i]
        sign[:, i] = torch.where(take, 1.0, -1.0) * real[:, i]
        demanded = inside[:, i] | outside[:, i]
        share = share + torch.where(demanded, F.logsigmoid(sign[:, i] * logit), 0)
        chosen[:, i] = take
    return chosen, share
