"""Who holds what of a scaffold while a graph is drawn, and what that demands of splits."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.contraction.split.bounds import Demand
from graphs.generators.contraction.split.sampling import FIRST, FREE, SECOND
from graphs.generators.contraction.state.partition import Partition
from graphs.generators.scaffold.decomposition import Plan
from graphs.generators.scaffold.scaffold import Scaffold


class Grip:
    """Follows the nodes and edges of a scaffold through the splits of b samples.

    Args:
        scaffold: What to keep.
        plan: How it comes apart.

    Attributes:
        part: (b, m) node of the plan that each cluster holds.
        slot: (b, f) place of each edge of the scaffold among those between clusters; -1 inside.
        side: (b, f) end of that edge at which the scaffold's edge begins.
    """

    def __init__(self, scaffold: Scaffold, plan: Plan) -> None:
        self.ends, self.label, self.plan = scaffold.ends, scaffold.label, plan
        self.part = plan.root[:, None]
        self.slot = plan.root.new_full((len(plan.root), len(scaffold.ends)), -1)
        self.side = torch.zeros_like(self.slot)

    def ways(self, state: Partition, candidates: int) -> tuple[Tensor, Tensor, Tensor]:
        """What each candidate gives to both children, (b, candidates, m); ways to split (b, m).

        The first child is the larger, and neither is empty.
        """
        part, empty = self.part, self.plan.empty
        nothing = torch.full_like(part, empty)
        if not state.started:
            wide = (-1, candidates, -1)
            one = torch.ones_like(part).float()
            return part[:, None].expand(wide), nothing[:, None].expand(wide), one
        a, b = self.plan.at("children", part).unbind(2)
        firsts = torch.stack([part, nothing, a, b], 2)
        seconds = torch.stack([nothing, part, b, a], 2)
        size = state.sizes[:, :, None]
        possible = self.plan.at("size", firsts) < size
        possible &= self.plan.at("size", seconds) <= size // 2
        possible[:, :, 1] &= part != empty
        possible[:, :, 2:] &= (a != empty)[:, :, None]
        ways = possible.sum(2).clamp(min=1)
        turn = torch.arange(candidates, device=part.device)[:, None] % ways[:, None]
        rank = possible.cumsum(2) - 1
        taken = possible[:, None] & (rank[:, None] == turn[..., None])
        way = taken.long().argmax(3, keepdim=True)

        def of(table: Tensor) -> Tensor:
            picked: Tensor = table[:, None].expand(*way.shape[:3], 4).gather(3, way)
            return picked[..., 0]

        return of(firsts), of(seconds), ways.float()

    def _clusters(self, part: Tensor) -> Tensor:
        """(b, s) cluster that holds each node of the scaffold."""
        holds: Tensor = self.plan.at("members", part).long()
        return holds.argmax(1)

    def forced(self, state: Partition, second: Tensor) -> Tensor:
        """Where edges of the scaffold go, (b * candidates, e, 2); see `split.sampling`."""
        candidates = second.shape[1]
        forced: Tensor = torch.full_like(state.ends, FREE).unflatten(0, (-1, candidates))
        if not state.ends.shape[1]:
            return forced.flatten(0, 1)
        cluster = self._clusters(self.part)[:, None].expand(-1, candidates, -1)
        moves = self.plan.at("members", second)  # (b, candidates, m, s)
        goes = moves.gather(2, cluster[:, :, None])[:, :, 0]
        split = state.split.unflatten(0, (-1, candidates)).gather(2, cluster)
        want = torch.where(split, torch.where(goes, SECOND, FIRST), FREE)
        b, f = torch.nonzero(self.slot >= 0, as_tuple=True)
        for end in (0, 1):
            side = (self.side[b, f] + end) % 2
            forced[b, :, self.slot[b, f], side] = want[b, :, self.ends[f, end]]
        return forced.flatten(0, 1)

    def demand(self, state: Partition, first: Tensor, second: Tensor, forced: Tensor) -> Demand:
        """Of the splits of all candidates, in row order."""
        pick = state.split
        whole = self.part[:, None].expand_as(first)

        def of(name: str, part: Tensor) -> Tensor:
            return self.plan.at(name, part).flatten(0, 1)[pick]

        def both(name: str) -> Tensor:
            return torch.stack([of(name, first), of(name, second)], 1)

        inner = both("inner")
        outer = []
        for way in (FIRST, SECOND):
            table = torch.zeros_like(state.inner)
            row, edge, side = torch.nonzero(forced == way, as_tuple=True)
            place = (row, state.ends[row, edge, side], state.label[row, edge])
            table.index_put_(place, torch.ones_like(row), accumulate=True)
            outer.append(table[pick])
        join = of("inner", whole) - inner.sum(1)
        return Demand(both("nodes"), inner, join, torch.stack(outer, 1), both("cycles"))

    def follow(self, state: Partition, first: Tensor, second: Tensor) -> None:
        """Note what the clusters hold after a split."""
        if not state.started:
            return
        count = state.valid.sum(1)
        fresh = count[:, None] + state.split.cumsum(1) - 1
        more = int((count + state.split.sum(1)).max()) - state.split.shape[1]
        kept = torch.where(state.split, first, self.part)
        self.part = F.pad(kept, (0, more), value=self.plan.empty)
        b, i = torch.nonzero(state.split, as_tuple=True)
        self.part[b, fresh[b, i]] = second[b, i]

    def claim(self, state: Partition) -> None:
        """Find edges of the scaffold that the last splits have laid bare."""
        if not state.ends.shape[1] or not len(self.ends):
            return
        begin, end = self._clusters(self.part)[:, self.ends].unbind(2)
        new = (self.slot < 0) & (begin != end)
        pair = torch.stack([begin, end], 2).sort(2).values
        alike = (pair[:, :, None] == pair[:, None]).all(3)
        alike = alike & (self.label[:, None] == self.label) & new[:, None]
        rank = alike.tril(-1).sum(2)
        there = (state.ends.sort(2).values[:, None] == pair[:, :, None]).all(3)
        there = there & (state.label[:, None] == self.label[:, None]) & state.real[:, None]
        slot = there.long().argmax(2) + rank  # equal edges lie side by side
        self.slot = torch.where(new, slot, self.slot)
        starts = state.ends[:, :, 0].gather(1, slot.clamp(max=state.ends.shape[1] - 1))
        self.side = torch.where(new, (starts != begin).long(), self.side)

    def cleared(self, state: Partition) -> Partition:
        """The final state without further edges where the scaffold has one."""
        self.claim(state)
        if not len(self.ends) or not state.ends.shape[1]:
            return state
        pair = state.ends.sort(2).values
        mine = pair.gather(1, self.slot[:, :, None].expand(-1, -1, 2))
        place = torch.arange(pair.shape[1], device=pair.device)
        other = (pair[:, None] == mine[:, :, None]).all(3) & (place != self.slot[:, :, None])
        return replace(state, real=state.real & ~other.any(1))
