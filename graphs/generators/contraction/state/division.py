"""The refinement of a state by a code: clusters split, edges move to children, edges appear."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.contraction.state.partition import Partition, letters_first


def divide(state: Partition, code: Tensor) -> Partition:
    """The state after the splits of a code; which clusters split next is left open.

    Args:
        state: b graphs of m clusters and e edges between them.
        code: (b, m + e, g) int64. Of a cluster: nodes of its first child by label (l), edges
            inside the first child (O), edges between the children (O), edges of the state that
            stay with the first child (O). Of an edge: for each of its two half-edges, 1 if that
            goes to the second child. Zero wherever nothing splits.
    """
    m, labels, kinds = state.valid.shape[1], state.nodes.shape[2], state.inner.shape[2]
    nodes, inner, join = code[:, :m, : labels + 2 * kinds].split([labels, kinds, kinds], 2)
    if not state.started:
        alphabet = letters_first(nodes[:, 0])
        nodes = nodes.gather(2, alphabet[:, None])
        return replace(state, nodes=nodes, inner=inner, started=True, alphabet=alphabet)
    count = state.valid.sum(1)
    fresh = count[:, None] + state.split.cumsum(1) - 1
    wide = int((count + state.split.sum(1)).max())
    b, i = torch.nonzero(state.split, as_tuple=True)

    def grown(before: Tensor, first: Tensor, second: Tensor) -> Tensor:
        after = torch.where(state.split[:, :, None], first, before)
        after = F.pad(after, (0, 0, 0, wide - m))
        after[b, fresh[b, i]] = second[b, i]
        return after

    moved = state.ends
    if moved.shape[1]:
        goes = code[:, m:, :2] > 0
        moved = torch.where(goes, fresh.gather(1, moved.flatten(1)).view_as(moved), moved)
    grown_state = replace(
        state,
        nodes=grown(state.nodes, nodes, state.nodes - nodes),
        inner=grown(state.inner, inner, state.inner - inner - join),
        valid=torch.arange(wide, device=code.device) < (count + state.split.sum(1))[:, None],
        ends=moved,
        split=F.pad(torch.zeros_like(state.split), (0, wide - m)),
    )
    return _with_edges(grown_state, join * state.split[:, :, None], fresh)


def _with_edges(state: Partition, join: Tensor, fresh: Tensor) -> Partition:
    """Add `join` (b, m, O) edges between each first child and the second, `fresh` (b, m)."""
    count, m, kinds = join.shape
    cell = torch.arange(count * m * kinds, device=join.device).repeat_interleave(join.flatten())
    b, i, label = cell // (m * kinds), cell // kinds % m, cell % kinds
    new, old = join.sum((1, 2)), state.real.sum(1)
    slot = old[b] + torch.arange(len(b), device=b.device) - (new.cumsum(0) - new)[b]
    wide = int((old + new).max())
    more = wide - state.real.shape[1]
    ends, labels = F.pad(state.ends, (0, 0, 0, more)), F.pad(state.label, (0, more))
    ends[b, slot] = torch.stack([i, fresh[b, i]], 1)
    labels[b, slot] = label
    real = torch.arange(wide, device=b.device) < (old + new)[:, None]
    return replace(state, ends=ends, label=labels, real=real)
