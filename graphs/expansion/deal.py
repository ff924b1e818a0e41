"""Neighbours of clusters that split, in the order in which the edges to them are dealt.

The first is random; then always one that is joined to most of those before it, equals in random
order. So around a cluster of a planar graph the order runs along the ring of its neighbours, and
what is next follows from what was dealt to those beside it.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.expansion.state import Coarse

RELATIONS = 4  # distances 1, 2, 3 among the neighbours of a cluster, and farther
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
    def of(cls, state: Coarse, k: int) -> "Deal":
        """At scale k."""
        graph, cluster = torch.nonzero(state.split, as_tuple=True)
        joined = state.edges > 0
        around = joined[graph, cluster]
        degree = around.sum(1)
        wide = int(degree.max()) if len(degree) else 0
        near = (~around).long().argsort(dim=1, stable=True)[:, :wide]
        real = torch.arange(wide, device=near.device) < degree[:, None]
        link = joined[graph[:, None, None], near[:, :, None], near[:, None]]
        link = (link & real[:, :, None] & real[:, None]).float()
        lot = state.noise.fork(k).uniform(-5, state.size.shape[1])[graph[:, None], near]
        order = _order(link, real, lot)
        near = near.gather(1, order) * real
        link = link.gather(1, order[:, :, None].expand_as(link))
        link = link.gather(2, order[:, None].expand_as(link))
        return cls(graph, cluster, near, real, _relations(link, real))

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

        Counts of those with each label at each distance, of those yet to come, and of each label.
        """
        d = label.shape[1]
        given = F.one_hot(label, LABELS).float() * self.real[:, :, None]
        at = torch.arange(d, device=label.device)
        before = (at[None] < at[place, None]).float()
        related = self.related[:, place]
        dealt = torch.einsum("rqdk,rdl->rqkl", related * before[..., None], given).flatten(2)
        later = (related * (1 - before)[..., None]).sum(2)
        total = torch.einsum("qd,rdl->rql", before, given)
        counts = torch.cat([dealt, later, total], 2)
        hot = F.one_hot(counts.long().clamp(max=MOST - 1), MOST).float().flatten(2)
        return torch.cat([hot, torch.log1p(counts)], 2)


SEEN = (RELATIONS * (LABELS + 1) + LABELS) * (MOST + 1)


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


def _relations(link: Tensor, real: Tensor) -> Tensor:
    d = link.shape[1]
    eye = torch.eye(d, device=link.device)
    seen, hops = eye.expand_as(link), torch.full_like(link, RELATIONS - 1).long()
    for step in range(RELATIONS - 1):
        wider = ((seen + seen @ link) > 0).float()
        hops = torch.where((wider > 0) & (seen == 0), step, hops)
        seen = wider
    outside = ~(real[:, :, None] & real[:, None]) | (eye > 0)
    return hops.masked_fill(outside, RELATIONS)
