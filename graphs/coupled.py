"""Random subsets of a given size whose members know of each other.

    logit p(s_i = 1 | s_<i) = log(k_i / (n_i - k_i)) + l_i + sum_{j < i} (2 s_j - 1) B_ij

where n_i elements from i on have k_i members left to give: without l and B, uniform subsets.
Elements are the ends of edges at a cluster that splits; members stay with the first child. They
come in an order in which each is near an earlier one, so that a decision can follow its
neighbours': the halves of a planar graph, for one, part its neighbours in two arcs.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.ends import Ends
from graphs.partition import Partition

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
    """Log-probability (r,) of subsets of their sizes.

    Args:
        logits: (r, D).
        pair: (r, D, D), of which what lies below the diagonal counts.
        real: (r, D) bool, False at padding, which comes last.
        chosen: (r, D) bool.
    """
    sign = torch.where(chosen, 1.0, -1.0) * real
    field = logits + (pair.tril(-1) * sign[:, None]).sum(2)
    before = chosen.cumsum(1) - chosen.long()
    left = chosen.sum(1, keepdim=True) - before
    rest = real.sum(1, keepdim=True) - (real.cumsum(1) - real.long())
    open_ = (left > 0) & (left < rest) & real
    base = torch.where(open_, left, 1).log() - torch.where(open_, rest - left, 1).log()
    return (F.logsigmoid(sign * (field + base)) * open_).sum(1)


def sample(
    logits: Tensor,
    pair: Tensor,
    real: Tensor,
    size: Tensor,
    uniform: Tensor,
    inside: Tensor | None = None,
    outside: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Subsets (r, D) bool, and the logarithm (r,) of the share of the law that demands leave.

    Args:
        logits: (r, D).
        pair: (r, D, D), as of `log_prob`.
        real: (r, D) bool, likewise.
        size: (r,) members.
        uniform: (r, D).
        inside: (r, D) bool, elements that have to be members.
        outside: (r, D) bool, elements that must not.
    """
    nothing = torch.zeros_like(real)
    inside = nothing if inside is None else inside
    outside = nothing if outside is None else outside
    chosen, share = torch.zeros_like(real), logits.new_zeros(len(logits))
    sign = torch.zeros_like(logits)
    for i in range(logits.shape[1]):
        left = size - chosen.sum(1)
        rest = real[:, i:].sum(1)
        must = inside[:, i + 1 :].sum(1)  # of the later ones
        may = rest - 1 - outside[:, i + 1 :].sum(1)
        free_yes, free_no = left > 0, left < rest
        yes = free_yes & (left - 1 >= must) & ~outside[:, i]
        no = free_no & (left <= may) & ~inside[:, i]
        base = left.clamp(min=1).log() - (rest - left).clamp(min=1).log()
        logit = logits[:, i] + (pair[:, i] * sign).sum(1) + base
        logit = torch.where(free_yes, torch.where(free_no, logit, 1e4), -1e4)
        take = torch.where(yes & no, uniform[:, i] < logit.sigmoid(), yes) & real[:, i]
        lost = torch.where(take, F.logsigmoid(logit), F.logsigmoid(-logit))
        share = share + torch.where((yes & no) | ~real[:, i], 0, lost)
        chosen[:, i] = take
        sign[:, i] = torch.where(take, 1.0, -1.0) * real[:, i]
    return chosen, share
