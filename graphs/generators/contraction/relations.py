"""How two tokens are related in the graph of clusters and edges.

Every cluster and every edge between clusters is a token; an edge is a neighbour of the two
clusters at its ends. All relations follow from those between clusters, of which there are far
fewer than tokens.
"""

import torch
from torch import Tensor

from graphs.data.edge_list import hops

TWICE = 2  # name of a relation, counted from `reach`
EXTRA = 3  # distances and names of relations beyond `reach`


def token_relations(counts: Tensor, ends: Tensor, reach: int) -> Tensor:
    """(b, m + e, m + e) int16, the relation of tokens.

    0 to `reach` is a distance and `reach + 1` a larger one. `reach + TWICE` relates tokens at
    distance 2 with two common neighbours: edges between the same clusters, and those clusters.

    Args:
        counts: (b, m, m) int64 edges between m clusters.
        ends: (b, e, 2) int64 clusters at both ends of the edges that are tokens.
        reach: Largest distance that is distinguished.
    """
    distance = hops(counts > 0, reach // 2 + 1)
    far = reach + 1
    among = (2 * distance).clamp(max=far)
    among = torch.where(counts > 1, reach + TWICE, among)
    first, second = ends.unbind(2)
    from_first, from_second = _rows(distance, first), _rows(distance, second)
    across = (1 + 2 * torch.minimum(from_first, from_second)).clamp(max=far)  # (b, e, m)
    same = [(x[:, :, None] == y[:, None]) for x in (first, second) for y in (first, second)]
    between = [
        _columns(rows, end) for rows in (from_first, from_second) for end in (first, second)
    ]
    nearest = torch.minimum(
        torch.minimum(between[0], between[1]), torch.minimum(between[2], between[3])
    )
    gap = (2 + 2 * nearest).clamp(max=far)  # (b, e, e)
    parallel = (same[0] & same[3]) | (same[1] & same[2])
    gap = torch.where(parallel, reach + TWICE, gap)
    gap.diagonal(dim1=1, dim2=2).zero_()
    top = torch.cat([among, across.transpose(1, 2)], 2)
    return torch.cat([top, torch.cat([across, gap], 2)], 1)


def _rows(table: Tensor, index: Tensor) -> Tensor:
    """(b, e, m): rows `index` (b, e) of tables (b, m, m)."""
    return table.gather(1, index[:, :, None].expand(-1, -1, table.shape[2]))


def _columns(table: Tensor, index: Tensor) -> Tensor:
    """(b, e, f): columns `index` (b, f) of tables (b, e, m)."""
    return table.gather(2, index[:, None].expand(-1, table.shape[1], -1))
