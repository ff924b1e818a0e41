"""Neighbours of clusters that split, in the order in which the edges to them are dealt.

Two neighbours of a cluster are beside each other if they are joined and the three do not part the
others. Around a cluster of a planar graph, neighbours beside each other make a ring: three joined
clusters are a face, or they part what is inside from what is outside.

The first in order is random; then always one that is beside most of those before it, equals in
random order. So the order runs along the ring, and what is next follows from what was dealt to
those beside it.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.expansion.state import Coarse

RELATIONS = 5  # distances 1, 2, 3 around a cluster, farther, and joined but not beside
FAR = RELATIONS - 2
LABELS = 3  # edge to the first child, to the second, to both
MOST = 4  # counts from here on look alike


@dataclass(frozen=True)
class Deal:
    """What is dealt at r clusters that split, with d neighbours at most.

    Args:
        graph: (r,) int64.
        cluster: (r,) int64.
        near: (r, d) int64 neighbours, in order, 0 at padding.
        real: (r, d) bool, False at padding.
        relation: (r, d, d) int64 in 0..RELATIONS - 1, of neighbours to each other, over those that
            are neighbours too; RELATIONS with itself and at padding.
    """

    graph: Tensor
    cluster: Tensor
    near: Tensor
    real: Tensor
    relation: Tensor

    @classmethod
    def of(cls, state: Coarse, k: int, ring: bool = True) -> "Deal":
        """At scale k; without `ring`, all that are joined are beside each other."""
        graph, cluster = torch.nonzero(state.split, as_tuple=True)
        joined = state.edges > 0
        around = joined[graph, cluster]
        degree = around.sum(1)
        wide = int(degree.max()) if len(degree) else 0
        near = (~around).long().argsort(dim=1, stable=True)[:, :wide]
        real = torch.arange(wide, device=near.device) < degree[:, None]
        link = joined[graph[:, None, None], near[:, :, None], near[:, None]]
        link = link & real[:, :, None] & real[:, None]
        beside = link & ~parting(state, graph, cluster, near, link) if ring else link
        lot = state.noise.fork(k).uniform(-5, state.size.shape[1])[graph[:, None], near]
        order = _order(beside.float(), real, lot)
        near = near.gather(1, order) * real
        link, beside = (_permuted(table, order) for table in (link, beside))
        return cls(graph, cluster, near, real, _relations(link, beside, real))

    @cached_property
    def related(self) -> Tensor:
        """(r, d, d, RELATIONS) float, one hot."""
        return F.one_hot(self.relation, RELATIONS + 1)[..., :RELATIONS].float()

    def spread(self, value: Tensor, m: int) -> Tensor:
        """(r, m) values (r, d) of neighbours in the places of m clusters, else zero."""
        table = torch.zeros(len(value), m + 1, dtype=value.dtype, device=value.device)
        return table.scatter(1, torch.where(self.real, self.near, m), value)[:, :m]

    def seen(self, label: Tensor, place: slice) -> Tensor:
        """(r, q, f) what neighbours at `place` see of labels (r, d) dealt before them.

        Counts of those with each label at each distance, of those yet to come, of each label, and
        of ways of two steps over what is dealt by the labels met: unlike distances, these do not
        take what lies beyond a gap for what lies behind.
        """
        d = label.shape[1]
        given = F.one_hot(label, LABELS).float() * self.real[:, :, None]
        at = torch.arange(d, device=label.device)
        before = (at[None] < at[place, None]).float()
        related = self.related[:, place]
        dealt = torch.einsum("rqdk,rdl->rqkl", related * before[..., None], given).flatten(2)
        later = (related * (1 - before)[..., None]).sum(2)
        total = torch.einsum("qd,rdl->rql", before, given)
        beside = self.related[..., 0]
        behind = torch.einsum("qk,rjk,rkl->rqjl", before, beside, given)
        ways = torch.einsum("rqj,rjm,rqjl->rqml", beside[:, place] * before, given, behind)
        counts = torch.cat([dealt, later, total, ways.flatten(2)], 2)
        hot = F.one_hot(counts.long().clamp(max=MOST - 1), MOST).float().flatten(2)
        return torch.cat([hot, torch.log1p(counts)], 2)


SEEN = (RELATIONS * (LABELS + 1) + LABELS + LABELS**2) * (MOST + 1)


def _order(link: Tensor, real: Tensor, lot: Tensor) -> Tensor:
    """(r, d) places of neighbours in order."""
    seen = torch.zeros_like(lot)
    score, order = lot.masked_fill(~real, -1), []
    for _ in range(lot.shape[1]):
        best = score.masked_fill(seen > 0, -2).argmax(1, keepdim=True)
        order.append(best)
        seen = seen.scatter(1, best, 1.0)
        score = score + link.gather(1, best[:, :, None].expand(-1, 1, link.shape[2]))[:, 0]
    return torch.cat(order, 1) if order else lot.long()


def _permuted(table: Tensor, order: Tensor) -> Tensor:
    """(r, d, d) with rows and columns in order (r, d)."""
    rows = table.gather(1, order[:, :, None].expand_as(table))
    return rows.gather(2, order[:, None].expand_as(table))


def _relations(link: Tensor, beside: Tensor, real: Tensor) -> Tensor:
    eye = torch.eye(link.shape[1], device=link.device)
    near, seen = beside.float(), eye.expand_as(link)
    hops = torch.where(link & ~beside, FAR + 1, FAR)
    for step in range(FAR):
        wider = ((seen + seen @ near) > 0).float()
        fresh = (wider > 0) & (seen == 0) & (hops == FAR)
        hops = torch.where(fresh, step, hops)
        seen = wider
    outside = ~(real[:, :, None] & real[:, None]) | (eye > 0)
    return hops.masked_fill(outside, RELATIONS)


def parting(state: Coarse, graph: Tensor, cluster: Tensor, near: Tensor, link: Tensor) -> Tensor:
    """(r, d, d) bool, symmetric: whether three joined clusters part the others.

    That is, whether without them two parts are left, or more, that were joined to all three.

    Args:
        state: b graphs.
        graph: (r,) int64.
        cluster: (r,) int64, the first of the three.
        near: (r, d) int64, its neighbours.
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
    for gone in (cluster[r], near[r, i], near[r, j]):
        left[of, slot, gone] = False
    joined = (state.edges > 0).float()
    touching = torch.ones_like(left)[:, :, None].repeat(1, 1, 3, 1)
    for side, end in enumerate((cluster[r], near[r, i], near[r, j])):
        touching[of, slot, side] = state.edges[of, end] > 0
    parts = torch.zeros_like(left[:, :, 0], dtype=torch.int64)
    while bool(left.any()):
        seen = F.one_hot(left.long().argmax(2), left.shape[2]).bool() & left
        while True:
            wider = seen | ((seen.float() @ joined > 0) & left)
            if torch.equal(wider, seen):
                break
            seen = wider
        parts += (touching & seen[:, :, None]).any(3).all(2)
        left &= ~seen
    apart = parts[of, slot] > 1
    result[r, i, j] = result[r, j, i] = apart
    return result
