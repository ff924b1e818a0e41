"""The ends of edges at nodes that are fragments, grouped by node."""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.generators.contraction.state.partition import Partition


@dataclass(frozen=True)
class Attachments:
    """The t ends of edges at nodes with more than one site; a row holds those of one node.

    Args:
        graph, slot, side: (t,) of which graph, edge and side.
        node, other: (t,) the nodes at this end and at the other.
        row, place: (t,) row of each and place in it, in the order of slots.
        label: (r,) label of the row's node.
    """

    graph: Tensor
    slot: Tensor
    side: Tensor
    node: Tensor
    other: Tensor
    row: Tensor
    place: Tensor
    label: Tensor

    @classmethod
    def of(cls, state: Partition, choice: Tensor, forced: Tensor | None = None) -> "Attachments":
        """Those of graphs that have come apart.

        Args:
            state: The graphs.
            choice: (T,) bool, which labels have more than one site.
            forced: (b, e, 2) int64; ends of which this is not negative come first in their rows.
        """
        m, label = state.valid.shape[1], state.labels
        at = label.gather(1, state.ends.flatten(1)).view_as(state.ends)
        graph, slot, side = torch.nonzero(choice[at] & state.real[:, :, None], as_tuple=True)
        node, other = state.ends[graph, slot, side], state.ends[graph, slot, 1 - side]
        key = graph * m + node
        order = key.argsort(stable=True)
        if forced is not None:
            last = (forced[graph, slot, side] < 0).long()
            order = (2 * key + last).argsort(stable=True)
        graph, slot, side, node, other, key = (
            x[order] for x in (graph, slot, side, node, other, key)
        )
        keys, row, count = torch.unique_consecutive(key, return_inverse=True, return_counts=True)
        place = torch.arange(len(key), device=key.device) - (count.cumsum(0) - count)[row]
        return cls(graph, slot, side, node, other, row, place, label.flatten()[keys])

    @property
    def real(self) -> Tensor:
        """(r, D) bool, False at padding of tables."""
        return self.table(torch.ones_like(self.place).bool(), False)

    def table(self, values: Tensor, fill: float) -> Tensor:
        """(r, D, ...) of values (t, ...)."""
        wide = int(self.place.max()) + 1 if len(self.place) else 0
        table = values.new_full((len(self.label), wide, *values.shape[1:]), fill)
        table[self.row, self.place] = values
        return table
