"""Half-edges at splitting clusters, grouped by cluster and edge label.

Each edge between clusters has two half-edges, one at each end. When the cluster at an end splits,
that half-edge goes to one of the two children.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.generators.contraction.state.partition import Partition

SHORT_ROW = 16


@dataclass(frozen=True)
class HalfEdges:
    """The t half-edges at clusters that split; a row holds those of one cluster and one label.

    Args:
        graph, slot, side, cluster: (t,) of which graph, edge and side, and at which cluster.
        row: (t,) row of each.
        place: (t,) place in its row.
        owner: (rows,) number of the row's cluster among those that split.
        label: (rows,) label of the row's edges, seen from the cluster.
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
    def of(cls, state: Partition) -> "HalfEdges":
        """Those at the clusters that split next."""
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
        keys, row, count = torch.unique_consecutive(key, return_inverse=True, return_counts=True)
        place = torch.arange(len(key), device=key.device) - (count.cumsum(0) - count)[row]
        return cls(graph, slot, side, cluster, row, place, keys // kinds, keys % kinds)

    def by_degree(self) -> Iterator["HalfEdges"]:
        """In parts whose rows are of similar length, so that tables stay small.

        One part of rows of up to `SHORT_ROW` half-edges, one of up to twice as many, and so on.
        """
        degree = torch.bincount(self.row, minlength=len(self.owner))
        size = (degree / SHORT_ROW).log2().ceil().clamp(min=0)
        sizes = size.unique().tolist()
        if len(sizes) < 2:
            yield self
            return
        for each in sizes:
            rows = size == each
            here, number = rows[self.row], rows.long().cumsum(0) - 1
            ends = (self.graph, self.slot, self.side, self.cluster)
            graph, slot, side, cluster = (x[here] for x in ends)
            row, place = number[self.row[here]], self.place[here]
            owner, label = self.owner[rows], self.label[rows]
            yield HalfEdges(graph, slot, side, cluster, row, place, owner, label)

    def table(self, values: Tensor, fill: float) -> Tensor:
        """(rows, D, ...) of values (t, ...)."""
        wide = int(self.place.max()) + 1 if len(self.place) else 0
        table = values.new_full((len(self.owner), wide, *values.shape[1:]), fill)
        table[self.row, self.place] = values
        return table
