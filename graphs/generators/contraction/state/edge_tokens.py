"""Selects the edges between clusters that become transformer tokens.

All; only those at clusters that split next, as the codes of others are empty; or none. Attention
knows of every edge that its clusters are joined; it knows the label of an edge that is no token
only if none is.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.contraction.state.partition import Partition


def slots(state: Partition) -> tuple[Tensor, Tensor]:
    """Slots (b, f) of the edges at clusters that split, and (b, f) bool, False at padding."""
    at = torch.zeros_like(state.real)
    if state.real.shape[1]:
        ends = state.split.gather(1, state.ends.flatten(1)).view_as(state.ends)
        at = ends.any(2) & state.real
    count = at.sum(1, keepdim=True)
    wide = int(count.max()) if len(count) else 0
    order = (~at).long().argsort(dim=1, stable=True)[:, :wide]
    return order, torch.arange(wide, device=at.device) < count


def reduced(state: Partition) -> Partition:
    """The state with only the edges at clusters that split."""
    order, real = slots(state)
    ends = state.ends.gather(1, order[:, :, None].expand(-1, -1, 2))
    label = state.label.gather(1, order)
    return replace(state, ends=ends * real[:, :, None], label=label * real, real=real)


def spread(hidden: Tensor, state: Partition) -> Tensor:
    """Hidden states (b, m + e, d), zero for edges that are no tokens, from those of tokens."""
    m, edges = state.valid.shape[1], state.real.shape[1]
    if hidden.shape[1] == m + edges:
        return hidden
    order, real = slots(state)
    given = hidden[:, m:] * real[:, :, None]
    empty = F.pad(hidden[:, :0], (0, 0, 0, edges))
    index = order[:, :, None].expand_as(given)
    return torch.cat([hidden[:, :m], empty.scatter(1, index, given)], 1)


def between(hidden: Tensor, state: Partition) -> Tensor:
    """(b, e, d): the sum of the hidden states (b, m, d) of the clusters at both ends of edges."""
    row = torch.arange(len(hidden), device=hidden.device)[:, None, None] * hidden.shape[1]
    both = hidden.flatten(0, 1).index_select(0, (state.ends + row).flatten())
    return both.view(*state.ends.shape, hidden.shape[2]).sum(2)
