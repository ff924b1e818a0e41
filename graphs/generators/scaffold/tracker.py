"""Tracks which cluster holds each scaffold node and edge, and the least counts of each split."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.split.bounds import Demand
from graphs.generators.contraction.split.sampling import FIRST, FREE, SECOND
from graphs.generators.contraction.state.partition import Partition
from graphs.generators.contraction.state.valence import Closed
from graphs.generators.scaffold.decomposition import Decomposition
from graphs.generators.scaffold.scaffold import Scaffold

ANY = 1000
"""Further edges that stand for any count."""


class ScaffoldTracker:
    """Follows the nodes and edges of a scaffold through the splits of b samples.

    Args:
        scaffold: What every sample shall contain.
        tree: How it comes apart.
        limits: Of the model's nodes, if there are any.
        connected: Whether all graphs are.

    Attributes:
        part: (b, m) node of the tree that each cluster holds.
        slot: (b, f) place of each edge of the scaffold among those between clusters; -1 inside.
        side: (b, f) end of that edge at which the scaffold's edge begins.
    """

    def __init__(
        self,
        scaffold: Scaffold,
        tree: Decomposition,
        limits: ValenceLimits | None = None,
        connected: bool = True,
    ) -> None:
        self.ends, self.label, self.tree = scaffold.ends, scaffold.label, tree
        self.sites, self.open, self.connected = scaffold.sites, scaffold.open, connected
        self.exact = scaffold.exact
        self.kept = None if limits is None else scaffold.spared(limits)
        self.part = tree.root[:, None]
        self.slot = tree.root.new_full((len(tree.root), len(scaffold.ends)), -1)
        self.side = torch.zeros_like(self.slot)

    def assignments(self, state: Partition, candidates: int) -> tuple[Tensor, Tensor, Tensor]:
        """Parts of the scaffold that the children get in each of several candidate splits.

        The candidates take turns through the possible assignments: the whole part of a cluster
        to the first child, or to the second, or the two children of that part one to each. The
        first child is the larger, and neither is empty.

        Returns:
            Parts of first and of second children, (b, candidates, m) each, and how many
            assignments are possible, (b, m).
        """
        part, empty = self.part, self.tree.empty
        nothing = torch.full_like(part, empty)
        if not state.started:
            wide = (-1, candidates, -1)
            one = torch.ones_like(part).float()
            return part[:, None].expand(wide), nothing[:, None].expand(wide), one
        a, b = self.tree.at("children", part).unbind(2)
        firsts = torch.stack([part, nothing, a, b], 2)
        seconds = torch.stack([nothing, part, b, a], 2)
        size = state.sizes[:, :, None]
        possible = self.tree.at("size", firsts) < size
        possible &= self.tree.at("size", seconds) <= size // 2
        possible[:, :, 1] &= part != empty
        possible[:, :, 2:] &= (a != empty)[:, :, None]
        count = possible.sum(2).clamp(min=1)
        turn = torch.arange(candidates, device=part.device)[:, None] % count[:, None]
        rank = possible.cumsum(2) - 1
        chosen = possible[:, None] & (rank[:, None] == turn[..., None])
        choice = chosen.long().argmax(3, keepdim=True)

        def of(table: Tensor) -> Tensor:
            picked: Tensor = table[:, None].expand(*choice.shape[:3], 4).gather(3, choice)
            return picked[..., 0]

        return of(firsts), of(seconds), count.float()

    def _clusters(self, part: Tensor) -> Tensor:
        """(b, s) cluster that holds each node of the scaffold."""
        holds: Tensor = self.tree.at("members", part).long()
        return holds.argmax(1)

    def forced(self, state: Partition, second: Tensor) -> Tensor:
        """The child that each half-edge has to go to, (b * candidates, e, 2).

        See `graphs.generators.contraction.split.sampling.sample`.
        """
        candidates = second.shape[1]
        forced: Tensor = torch.full_like(state.ends, FREE).unflatten(0, (-1, candidates))
        if not state.ends.shape[1]:
            return forced.flatten(0, 1)
        cluster = self._clusters(self.part)[:, None].expand(-1, candidates, -1)
        moves = self.tree.at("members", second)  # (b, candidates, m, s)
        goes = moves.gather(2, cluster[:, :, None])[:, :, 0]
        split = state.split.unflatten(0, (-1, candidates)).gather(2, cluster)
        child = torch.where(split, torch.where(goes, SECOND, FIRST), FREE)
        b, f = torch.nonzero(self.slot >= 0, as_tuple=True)
        for end in (0, 1):
            side = (self.side[b, f] + end) % 2
            forced[b, :, self.slot[b, f], side] = child[b, :, self.ends[f, end]]
        return forced.flatten(0, 1)

    def demand(self, state: Partition, first: Tensor, second: Tensor, forced: Tensor) -> Demand:
        """Least counts of the children of all candidate splits, in row order."""
        pick = state.split
        whole = self.part[:, None].expand_as(first)

        def of(name: str, part: Tensor) -> Tensor:
            return self.tree.at(name, part).flatten(0, 1)[pick]

        def both(name: str) -> Tensor:
            return torch.stack([of(name, first), of(name, second)], 1)

        row = pick.nonzero()[:, 0]
        tree = row // (len(pick) // len(self.tree.nodes))
        parts = torch.stack([child.flatten(0, 1)[pick] for child in (first, second)], 1)
        letters = state.letters[row][:, None].expand(-1, 2, -1)
        nodes = self.tree.nodes[tree[:, None, None], parts[:, :, None], letters]

        inner = both("inner")
        outer = []
        for child in (FIRST, SECOND):
            table = torch.zeros_like(state.inner)
            row, edge, side = torch.nonzero(forced == child, as_tuple=True)
            place = (row, state.ends[row, edge, side], state.label[row, edge])
            table.index_put_(place, torch.ones_like(row), accumulate=True)
            outer.append(table[pick])
        join = of("inner", whole) - inner.sum(1)
        return Demand(nodes, inner, join, torch.stack(outer, 1), both("cycles"))

    def update(self, state: Partition, first: Tensor, second: Tensor) -> None:
        """Record the parts (b, m) that the children of a split hold."""
        self.part = self._after(state, self.part, first, second)

    def _after(self, state: Partition, part: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """(b, m') parts that clusters hold after splits, from those (b, m) of before."""
        if not state.started:
            return part
        count = state.valid.sum(1)
        fresh = count[:, None] + state.split.cumsum(1) - 1
        more = int((count + state.split.sum(1)).max()) - state.split.shape[1]
        after = F.pad(torch.where(state.split, first, part), (0, more), value=self.tree.empty)
        b, i = torch.nonzero(state.split, as_tuple=True)
        after[b, fresh[b, i]] = second[b, i]
        return after

    def closed(self, state: Partition, first: Tensor, second: Tensor) -> Closed | None:
        """Nodes of the scaffold in the (b * candidates, m') clusters after candidate splits.

        None where these may take any further edges.
        """
        if self.kept is None:
            return None
        before = self.part[:, None].expand_as(first).flatten(0, 1)
        after = self._after(state, before, first.flatten(0, 1), second.flatten(0, 1))
        assert self.open is not None
        members = self.tree.at("members", after).long()
        further = torch.where(self.open[:, 0] < 0, ANY, self.open.sum(1))
        nodes, open_ = members.sum(2), (members * further).sum(2)
        # As clusters are connected, each piece of the scaffold that is with others is open to one.
        pieces = self.tree.at("cycles", after) - self.tree.at("inner", after).sum(2) + nodes
        alone = (open_ < pieces) if self.connected else torch.zeros_like(nodes).bool()
        return Closed(nodes, (members * self.kept).sum(2), alone, self.exact)

    def locate_edges(self, state: Partition) -> None:
        """Find the edges of the scaffold that the last splits have put between clusters."""
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

    def forced_sites(self, state: Partition) -> Tensor:
        """(b, e, 2) the atom at which the scaffold has each end of an edge; -1 for other edges."""
        forced = torch.full_like(state.ends, -1)
        if self.sites is not None:
            b, f = torch.nonzero(self.slot >= 0, as_tuple=True)
            for end in (0, 1):
                side = (self.side[b, f] + end) % 2
                forced[b, self.slot[b, f], side] = self.sites[f, end]
        return forced

    def open_sites(self, state: Partition) -> Tensor | None:
        """(b, m, P) further edges at each atom of the nodes of the scaffold; -1 at other nodes.

        None where these may take any.
        """
        if self.open is None:
            return None
        holds = self.tree.at("members", self.part)
        return torch.where(holds.any(2)[..., None], self.open[holds.long().argmax(2)], -1)

    def without_parallel_edges(self, state: Partition) -> Partition:
        """The final state without edges that are parallel to an edge of the scaffold."""
        self.locate_edges(state)
        if not len(self.ends) or not state.ends.shape[1]:
            return state
        pair = state.ends.sort(2).values
        mine = pair.gather(1, self.slot[:, :, None].expand(-1, -1, 2))
        place = torch.arange(pair.shape[1], device=pair.device)
        other = (pair[:, None] == mine[:, :, None]).all(3) & (place != self.slot[:, :, None])
        return replace(state, real=state.real & ~other.any(1))
