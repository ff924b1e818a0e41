"""A part of a graph that samples shall contain."""

from collections import Counter
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.data.edge_list import Edges
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.common.valence import ValenceLimits
from refine_core.errors import InputError


@dataclass(frozen=True)
class Scaffold:
    """Nodes and edges that every sample shall contain.

    Args:
        nodes: (s,) int64 labels.
        ends: (f, 2) int64 nodes that each edge joins.
        label: (f,) int64 of each edge, from 0.
        sites: (f, 2) int64, the atom at each end, where nodes are fragments; else None.
        open: (s, P) int64, further edges at each atom of each node, negative at nodes that take
            any; None allows any everywhere.
        exact: Whether nodes take all the further edges that are `open`; otherwise so many at most.
    """

    nodes: Tensor
    ends: Tensor
    label: Tensor
    sites: Tensor | None = None
    open: Tensor | None = None
    exact: bool = True

    @classmethod
    def of(cls, graph: GraphBatch) -> "Scaffold":
        """The scaffold that a batch of one graph is.

        Raises:
            InputError: There is not one, it has no nodes, or padding between them.
        """
        if len(graph) != 1 or not graph.valid.any():
            raise InputError(
                f"Found {len(graph)} graphs of {int(graph.valid.sum())} nodes as a scaffold, "
                "expected one graph of one node or more."
            )
        if not graph.valid[0, : graph.sizes[0]].all():
            raise InputError("Found padding between the nodes of a scaffold: put it behind them.")
        edges = Edges.of(graph)
        sites = None if edges.sites is None else edges.sites[0]
        return cls(graph.nodes[0, graph.valid[0]], edges.ends[0], edges.label[0], sites)

    @classmethod
    def read(cls, smiles: str, statistics: GraphStatistics) -> "Scaffold":
        """The scaffold of a molecule, whose aromatic rings may get alternating bonds.

        Attachment points `*` say where it goes on, and that it does so nowhere else. Without such,
        atoms whose hydrogens are written, as in [nH], keep them.

        Raises:
            InputError: It is no molecule, or has atoms or bonds outside of the vocabulary, or
                hydrogens are nodes.
        """
        from graphs.chem import has_hydrogens, has_points, probed, to_graphs

        vocabulary = statistics.vocabulary
        if "H" in vocabulary.nodes:
            raise InputError(
                f"Found the scaffold {smiles!r} for a model whose hydrogens are atoms, of which "
                "SMILES do not say which may go: give a graph, or train with data.hydrogens off."
            )
        largest = statistics.largest or sum(statistics.max_counts[: len(vocabulary.nodes)])
        if not has_points(smiles) and not has_hydrogens(smiles):
            return cls.of(to_graphs([smiles], vocabulary, largest))
        text, probes = probed(smiles)
        whole = cls.of(to_graphs([text], vocabulary, largest + probes, [smiles]))
        opened = whole._opened(probes)
        return opened if has_points(smiles) else opened._closed(vocabulary)

    def _opened(self, points: int) -> "Scaffold":
        """Without the last nodes, `points` of them, which say where it is open."""
        count = len(self.nodes) - points
        at, place = torch.nonzero(self.ends >= count, as_tuple=True)
        node = self.ends[at, 1 - place]
        site = torch.zeros_like(node) if self.sites is None else self.sites[at, 1 - place]
        wide = 1 if self.sites is None else int(self.sites.max()) + 1
        open_ = torch.zeros(count, wide, dtype=torch.int64)
        open_.index_put_((node, site), torch.ones_like(node), accumulate=True)
        kept = (self.ends < count).all(1)
        sites = None if self.sites is None else self.sites[kept]
        return Scaffold(self.nodes[:count], self.ends[kept], self.label[kept], sites, open_)

    def _closed(self, vocabulary: Vocabulary) -> "Scaffold":
        """Closed where it is open, and open elsewhere."""
        from graphs.chem.fragments import Fragment

        assert self.open is not None
        shut = self.open > 0
        free = [Fragment.named(vocabulary.nodes[node]).free or (0,) for node in self.nodes]
        open_ = torch.full((len(free), max(map(len, free), default=1)), -1)
        for node in shut.any(1).nonzero()[:, 0].tolist():
            room = torch.tensor(free[node])
            sites = torch.zeros_like(self.ends) if self.sites is None else self.sites
            used = sites[self.ends == node].bincount(minlength=len(room))
            room[shut[node].nonzero()[:, 0]] = 0
            open_[node] = 0
            open_[node, : len(room)] = (room - used).clamp(min=0)
        return replace(self, open=open_, exact=False)

    def to(self, device: torch.device | str) -> "Scaffold":
        """The same on another device."""
        sites, open_ = (None if x is None else x.to(device) for x in (self.sites, self.open))
        ends, label = self.ends.to(device), self.label.to(device)
        return Scaffold(self.nodes.to(device), ends, label, sites, open_, self.exact)

    def used(self, limits: ValenceLimits) -> Tensor:
        """(s,) weights of the edges of each node, with those that it has to get."""
        return self._used(limits, self.exact)

    def _used(self, limits: ValenceLimits, further: bool) -> Tensor:
        table = torch.tensor((0, *limits.weight))
        used = table[self.batch(1).edges[0].cpu()].sum(1)
        if self.open is None or not further:
            return used
        return used + min(limits.weight) * self.open.cpu().clamp(min=0).sum(1)

    def spared(self, limits: ValenceLimits) -> Tensor | None:
        """(s,) slack that nodes are to keep; None where they may take any further edges."""
        if self.open is None:
            return None
        capacity = torch.tensor(limits.capacity)[self.nodes.cpu()]
        spared = (capacity - self._used(limits, further=True)).clamp(min=0)
        return torch.where(self.open[:, 0].cpu() < 0, 0, spared).to(self.nodes.device)

    def batch(self, count: int) -> GraphBatch:
        """The scaffold `count` times, as graphs."""
        s = len(self.nodes)
        edges = torch.zeros(s, s, dtype=torch.int64, device=self.nodes.device)
        i, j = self.ends.unbind(1)
        edges[i, j] = edges[j, i] = self.label + 1
        valid = torch.ones(count, s, dtype=torch.bool, device=self.nodes.device)
        return GraphBatch(self.nodes.expand(count, s), edges.expand(count, s, s), valid)

    def check(self, statistics: GraphStatistics) -> None:
        """Refuse a scaffold that no graph of training could contain.

        Raises:
            InputError: Labels outside of the vocabulary, more nodes or edges of a label than any
                graph of training has, or a node with more edges than any of its label.
        """
        vocabulary, limits = statistics.vocabulary, statistics.valence_limits
        names = (*vocabulary.nodes, *vocabulary.edges)
        labels = (self.nodes, vocabulary.nodes), (self.label, vocabulary.edges)
        if any(len(found) and int(found.max()) >= len(known) for found, known in labels):
            raise InputError(
                f"The scaffold has labels outside of the vocabulary, which has "
                f"{len(vocabulary.nodes)} of nodes and {len(vocabulary.edges)} of edges."
            )
        found = Counter(self.nodes.tolist())
        found.update((len(vocabulary.nodes) + self.label).tolist())
        for place, most in enumerate(statistics.max_counts):
            if found[place] > most:
                raise InputError(
                    f"The scaffold has {found[place]} {names[place] or 'nodes or edges'}, but no "
                    f"graph of training has more than {most}: give a smaller one."
                )
        largest, size_limit = statistics.largest, statistics.size_limit
        kinds = self.nodes.cpu().bincount(minlength=len(vocabulary.nodes))
        if size_limit is not None and bool(size_limit.exceeded(kinds)):
            raise InputError(
                f"The scaffold has more nodes than the {largest} of the largest graph of "
                "training: give a smaller one."
            )
        if limits is None:
            return
        for node, total in zip(self.nodes.tolist(), self.used(limits).tolist(), strict=True):
            if total > limits.capacity[node]:
                raise InputError(
                    f"The scaffold has {vocabulary.nodes[node] or 'a node'} with more bonds than "
                    "any in training: give another one."
                )
