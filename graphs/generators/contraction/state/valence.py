"""What valence limits leave of a partition: the slack of clusters, and splits that exceed it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.state.division import divide
from graphs.generators.contraction.state.partition import Partition


def slack(limits: ValenceLimits, state: Partition) -> Tensor:
    """(b, m) int64 capacity that each cluster's edges leave."""
    capacity, weight, _ = limits.tables(state.valid.device)
    used = ((2 * state.inner + state.outer) * weight).sum(2)
    return (state.nodes * capacity[state.letters][:, None]).sum(2) - used


def exceeded(limits: ValenceLimits, state: Partition) -> Tensor:
    """(b, m) bool, clusters with more edges of a label than their nodes had in training."""
    if not limits.most:
        return torch.zeros_like(state.valid)
    most = limits.tables(state.valid.device)[2][state.letters]
    room = torch.einsum("bml,blo->bmo", state.nodes.float(), most.float())
    return (2 * state.inner + state.outer > room).any(2)


@dataclass(frozen=True)
class Closed:
    """Nodes in clusters whose edges are known in number.

    Args:
        nodes: (b, m) how many each cluster holds.
        slack: (b, m) what these nodes leave of their capacity.
        alone: (b, m) bool, whether they cannot be with others.
        exact: Whether they leave exactly that; otherwise at least.
    """

    nodes: Tensor
    slack: Tensor
    alone: Tensor
    exact: bool = True


def violated(
    limits: ValenceLimits, state: Partition, code: Tensor, closed: Closed | None = None
) -> Tensor:
    """(b, m) bool, clusters of `state` whose split by `code` leaves a child without slack.

    A split is also refused after which more edges join two clusters than they have pairs of nodes.

    Args:
        limits: Of the nodes.
        state: What splits.
        code: (b, m + e, g).
        closed: Nodes in the clusters of the refined state.
    """
    after = divide(state, code)
    sizes, left = after.sizes, slack(limits, after)
    wrong = (left < 0) | exceeded(limits, after)
    if closed is not None:
        only = sizes == closed.nodes
        exact = only & (closed.nodes > 0) & closed.exact
        wrong = wrong | (left < closed.slack) | (exact & (left > closed.slack))
        wrong = wrong | (closed.alone & ~only)
    wrong = wrong & after.valid
    wrong = wrong | (after.edge_counts > sizes[:, :, None] * sizes[:, None]).any(2)
    if not state.started:
        return wrong
    fresh = state.valid.sum(1)[:, None] + state.split.cumsum(1) - 1
    second = wrong.gather(1, fresh.clamp(min=0))
    return (wrong[:, : state.valid.shape[1]] | second) & state.split
