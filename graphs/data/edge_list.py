"""Edges as lists instead of matrices."""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch


@dataclass(frozen=True)
class Edges:
    """Edges of b graphs, padded to one count.

    Args:
        ends: (b, e, 2) int64, the nodes at both ends.
        label: (b, e) int64, from 0.
        real: (b, e) bool, False at padding.
        sites: (b, e, 2) int64, see `GraphBatch`; None where nodes are atoms.
    """

    ends: Tensor
    label: Tensor
    real: Tensor
    sites: Tensor | None = None

    @classmethod
    def of(cls, graphs: GraphBatch) -> "Edges":
        """Each edge once."""
        b, i, j = torch.nonzero(torch.triu(graphs.edges, 1), as_tuple=True)
        count = torch.bincount(b, minlength=len(graphs))
        slot = torch.arange(len(b), device=b.device) - (count.cumsum(0) - count)[b]
        width = int(count.max()) if len(b) else 0
        ends, label = b.new_zeros(len(graphs), width, 2), b.new_zeros(len(graphs), width)
        ends[b, slot] = torch.stack([i, j], 1)
        label[b, slot] = graphs.edges[b, i, j] - 1
        sites = None
        if graphs.sites is not None:
            sites = torch.zeros_like(ends)
            sites[b, slot] = torch.stack([graphs.sites[b, i, j], graphs.sites[b, j, i]], 1)
        return cls(ends, label, torch.arange(width, device=b.device) < count[:, None], sites)

    def flipped(self, where: Tensor, label: Tensor) -> "Edges":
        """With ends in the other order `where` (b, e), and other labels (b, e)."""
        turn = where[:, :, None]
        sites = None if self.sites is None else torch.where(turn, self.sites.flip(2), self.sites)
        return Edges(torch.where(turn, self.ends.flip(2), self.ends), label, self.real, sites)

    def ordered(self, order: Tensor) -> "Edges":
        """In another order (b, e)."""
        both = order[:, :, None].expand_as(self.ends)
        sites = None if self.sites is None else self.sites.gather(1, both)
        label, real = self.label.gather(1, order), self.real.gather(1, order)
        return Edges(self.ends.gather(1, both), label, real, sites)

    def at(self, place: Tensor) -> Tensor:
        """(b, e, 2) clusters at the ends, given the cluster of each node (b, n)."""
        return place.gather(1, self.ends.flatten(1)).view_as(self.ends)


def pair_counts(ends: Tensor, real: Tensor, m: int) -> Tensor:
    """(b, m, m) int64, edges between m clusters, from their ends (b, e, 2); twice what is inside.

    >>> pair_counts(torch.tensor([[[0, 1], [1, 0]]]), torch.ones(1, 2).bool(), 2).tolist()
    [[[0, 2], [2, 0]]]
    """
    table = torch.zeros(len(ends), m, m, dtype=torch.int64, device=ends.device)
    b, e = torch.nonzero(real, as_tuple=True)
    i, j = ends[b, e].unbind(1)
    table.index_put_((b, i, j), torch.ones_like(b), accumulate=True)
    return table + table.transpose(1, 2)


SPARSE = 128
"""Count of clusters from which on products of mostly empty matrices take them as sparse."""


def sparse_product(sparse: Tensor, table: Tensor) -> Tensor:
    """(b, m, c) products of matrices `sparse` (b, m, m), mostly zero, and `table` (b, m, c) float.

    Of bool matrices, for each cluster the sum of the rows of those that it is joined to. Where
    there are many clusters, the cost is that of what is not zero.

    >>> sparse_product(torch.tensor([[[False, True], [True, False]]]), torch.eye(2)[None]).tolist()
    [[[0.0, 1.0], [1.0, 0.0]]]
    """
    m = sparse.shape[1]
    if m < SPARSE or table.device.type != "cpu":
        return sparse.to(table.dtype) @ table
    b, i, j = sparse.nonzero(as_tuple=True)
    ends = torch.stack([b * m + i, b * m + j])
    values, size = sparse[b, i, j].to(table.dtype), (len(sparse) * m,) * 2
    matrix = torch.sparse_coo_tensor(ends, values, size, is_coalesced=True, check_invariants=False)
    product: Tensor = torch.sparse.mm(matrix, table.flatten(0, 1))
    return product.view_as(table)


def hops(joined: Tensor, most: int) -> Tensor:
    """(b, m, m) int16 length of the shortest path between clusters; beyond `most`, `most + 1`.

    >>> path = torch.ones(3, 3).tril(-1).triu(-1)
    >>> hops((path + path.T)[None] > 0, 1).tolist()
    [[[0, 1, 2], [1, 0, 1], [2, 1, 0]]]

    Args:
        joined: (b, m, m) bool, symmetric.
        most: Largest length that is told.
    """
    m = joined.shape[1]
    reached = torch.eye(m, device=joined.device).expand(joined.shape)
    result = torch.where(reached > 0, 0, most + 1).short()
    for step in range(1, min(most, m) + 1):
        wider = ((reached + sparse_product(joined, reached)) > 0).float()
        result = torch.where((wider > 0) & (reached == 0), step, result)
        reached = wider
    return result
