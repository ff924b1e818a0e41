"""Neighbours of each splitting cluster, in the order in which their edges go to its children.

Two neighbours of a cluster are adjacent if they are joined and the three clusters do not separate
the others. Around a cluster of a planar graph, adjacent neighbours form a ring: three joined
clusters are a face, or they separate what is inside from what is outside.

The first in order is random; then always one that is adjacent to most of those before it, equals
in random order. So the order follows the ring, and the child to which an edge goes follows from
the edges to adjacent neighbours before it.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.data.batch import permuted
from graphs.data.edge_list import hops
from graphs.generators.common.streams import ExpansionStream
from graphs.generators.expansion.state import CoarseGraph

RELATIONS = 5  # distances 1, 2, 3 around a cluster, farther, and joined but not adjacent
FAR = RELATIONS - 2
LABELS = 3  # edge to the first child, to the second, to both
MOST = 4  # all larger counts have the same one-hot digit


@dataclass(frozen=True)
class Neighbours:
    """The d neighbours, at most, of each of r clusters that split.

    Args:
        graph: (r,) int64.
        cluster: (r,) int64.
        index: (r, d) int64 neighbours, in order, 0 at padding.
        real: (r, d) bool, False at padding.
        relation: (r, d, d) int64 in 0..RELATIONS - 1, how two neighbours are related, over paths
            through neighbours; RELATIONS with itself and at padding.
    """

    graph: Tensor
    cluster: Tensor
    index: Tensor
    real: Tensor
    relation: Tensor

    @classmethod
    def of(cls, state: CoarseGraph, k: int, ring: bool = True) -> "Neighbours":
        """Those at scale k; without `ring`, all that are joined are adjacent."""
        graph, cluster = torch.nonzero(state.split, as_tuple=True)
        joined = state.edges > 0
        around = joined[graph, cluster]
        degree = around.sum(1)
        wide = int(degree.max()) if len(degree) else 0
        index = (~around).long().argsort(dim=1, stable=True)[:, :wide]
        real = torch.arange(wide, device=index.device) < degree[:, None]
        link = joined[graph[:, None, None], index[:, :, None], index[:, None]]
        link = link & real[:, :, None] & real[:, None]
        adjacent = link & ~separating(state, graph, cluster, index, link) if ring else link
        uniform = state.noise.fork(k).uniform(
            ExpansionStream.NEIGHBOUR_ORDER, state.size.shape[1]
        )[graph[:, None], index]
        order = _order(adjacent.float(), real, uniform)
        index = index.gather(1, order) * real
        link, adjacent = (permuted(table, order) for table in (link, adjacent))
        return cls(graph, cluster, index, real, _relations(link, adjacent, real))

    @cached_property
    def related(self) -> Tensor:
        """(r, d, d, RELATIONS) float, one-hot."""
        return F.one_hot(self.relation, RELATIONS + 1)[..., :RELATIONS].float()

    def spread(self, value: Tensor, m: int) -> Tensor:
        """(r, m) values (r, d) of neighbours at their places among m clusters, else zero."""
        table = torch.zeros(len(value), m + 1, dtype=value.dtype, device=value.device)
        return table.scatter(1, torch.where(self.real, self.index, m), value)[:, :m]

    def context(self, label: Tensor, place: slice) -> Tensor:
        """(r, q, CONTEXT) features of neighbours at `place` from the labels (r, d) before them.

        Counts of earlier neighbours with each label at each distance, of later ones, of earlier
        ones with each label anywhere, and of paths of two steps over earlier neighbours by the
        labels on them. Unlike distances, these paths do not go around through later neighbours.
        """
        d = label.shape[1]
        given = F.one_hot(label, LABELS).float() * self.real[:, :, None]
        at = torch.arange(d, device=label.device)
        before = (at[None] < at[place, None]).float()
        related = self.related[:, place]
        earlier = torch.einsum("rqdk,rdl->rqkl", related * before[..., None], given).flatten(2)
        later = (related * (1 - before)[..., None]).sum(2)
        total = torch.einsum("qd,rdl->rql", before, given)
        adjacent = self.related[..., 0]
        behind = torch.einsum("qk,rjk,rkl->rqjl", before, adjacent, given)
        paths = torch.einsum("rqj,rjm,rqjl->rqml", adjacent[:, place] * before, given, behind)
        counts = torch.cat([earlier, later, total, paths.flatten(2)], 2)
        hot = F.one_hot(counts.long().clamp(max=MOST - 1), MOST).float().flatten(2)
        return torch.cat([hot, torch.log1p(counts)], 2)


CONTEXT = (RELATIONS * (LABELS + 1) + LABELS + LABELS**2) * (MOST + 1)


def _order(link: Tensor, real: Tensor, uniform: Tensor) -> Tensor:
    """(r, d) places of neighbours in order."""
    done = torch.zeros_like(uniform)
    score, order = uniform.masked_fill(~real, -1), []
    for _ in range(uniform.shape[1]):
        best = score.masked_fill(done > 0, -2).argmax(1, keepdim=True)
        order.append(best)
        done = done.scatter(1, best, 1.0)
        score = score + link.gather(1, best[:, :, None].expand(-1, 1, link.shape[2]))[:, 0]
    return torch.cat(order, 1) if order else uniform.long()


def _relations(link: Tensor, adjacent: Tensor, real: Tensor) -> Tensor:
    near = torch.where(link & ~adjacent, FAR + 1, hops(adjacent, FAR).long() - 1)
    itself = torch.eye(link.shape[1], device=link.device).bool()
    return near.masked_fill(~(real[:, :, None] & real[:, None]) | itself, RELATIONS)


def separating(
    state: CoarseGraph, graph: Tensor, cluster: Tensor, index: Tensor, link: Tensor
) -> Tensor:
    """(r, d, d) bool, symmetric: whether three joined clusters separate the others.

    That is, whether two components or more are left without them that were joined to all three.

    Args:
        state: b graphs.
        graph: (r,) int64.
        cluster: (r,) int64, the first of the three.
        index: (r, d) int64, its neighbours.
        link: (r, d, d) bool, which of them are joined.
    """
    result = torch.zeros_like(link)
    r, i, j = torch.nonzero(link.triu(1), as_tuple=True)
    if not len(r):
        return result
    of = graph[r]
    count = torch.bincount(of, minlength=len(state))
    slot = torch.arange(len(r), device=r.device) - (count.cumsum(0) - count)[of]
    left = state.valid[:, None].repeat(1, int(count.max()), 1)
    triangle = (cluster[r], index[r, i], index[r, j])
    for corner in triangle:
        left[of, slot, corner] = False
    joined = (state.edges > 0).float()
    touching = torch.ones_like(left)[:, :, None].repeat(1, 1, 3, 1)
    for side, corner in enumerate(triangle):
        touching[of, slot, side] = state.edges[of, corner] > 0
    components = torch.zeros_like(left[:, :, 0], dtype=torch.int64)
    while bool(left.any()):
        reached = F.one_hot(left.long().argmax(2), left.shape[2]).bool() & left
        while True:
            wider = reached | ((reached.float() @ joined > 0) & left)
            if torch.equal(wider, reached):
                break
            reached = wider
        components += (touching & reached[:, :, None]).any(3).all(2)
        left &= ~reached
    apart = components[of, slot] > 1
    result[r, i, j] = result[r, j, i] = apart
    return result
