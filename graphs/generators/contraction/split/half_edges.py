"""The ends of edges whose cluster splits, sorted into rows of a cluster and a label."""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.generators.contraction.state import Partition


@dataclass(frozen=True)
class Ends:
    """The ends of edges at clusters that split, t of them, gathered into rows of one label.

    Args:
        graph, slot, side, cluster: (t,) which end: of which graph, edge, side, at which cluster.
        row: (t,) row of each, all of one cluster and one label.
        place: (t,) place in its row.
        owner: (rows,) number of the row's cluster among those that split.
        label: (rows,) of the row's edges, seen from the cluster.
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
    def of(cls, state: Partition) -> "Ends":
        """Of the clusters that split next."""
        number = state.split.flatten().cumsum(0).view_as(state.split) - 1
        kinds = state.inner.shape[2]
        at = torch.zeros_like(state.ends).bool()
        if state.real.shape[1]:
            at = state.split.gather(1, state.ends.flatten(1)).view_as(state.ends)
        graph, slot, side = torch.nonzero(at & state.real[:, :, None], as_tuple=True)
        cluster = state.ends[graph, slot, side]
        key = number[graph, cluster] * kinds + state.label_at[graph, slot, side]
        order = key.argsort(stable=True)
        graph, slot, side, cluster, key = (x[order] for x in (graph, slot, side, cluster, key))
        names, row, count = torch.unique_consecutive(key, return_inverse=True, return_counts=True)
        place = torch.arange(len(key), device=key.device) - (count.cumsum(0) - count)[row]
        return cls(graph, slot, side, cluster, row, place, names // kinds, names % kinds)

    @property
    def real(self) -> Tensor:
        """(rows, D) bool, False at padding of tables."""
        return self.table(torch.ones_like(self.place).bool(), False)

    def table(self, values: Tensor, fill: float) -> Tensor:
        """(rows, D, ...) of values (t, ...)."""
        wide = int(self.place.max()) + 1 if len(self.place) else 0
        table = values.new_full((len(self.owner), wide, *values.shape[1:]), fill)
        table[self.row, self.place] = values
        return table
