"""A part of a graph to keep."""

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.data.edge_list import Edges
from graphs.generators.common.valence import Support
from refine_core.errors import InputError


@dataclass(frozen=True)
class Scaffold:
    """Nodes and edges that every graph drawn shall have.

    Args:
        nodes: (s,) int64 labels.
        ends: (f, 2) int64 nodes that each edge joins.
        label: (f,) int64 of each edge, from 0.
    """

    nodes: Tensor
    ends: Tensor
    label: Tensor

    @classmethod
    def of(cls, graph: GraphBatch) -> "Scaffold":
        """Of a batch of one graph."""
        assert len(graph) == 1
        edges = Edges.of(graph)
        return cls(graph.nodes[0, graph.valid[0]], edges.ends[0], edges.label[0])

    @classmethod
    def read(cls, smiles: str, vocabulary: Vocabulary, limits: tuple[int, ...]) -> "Scaffold":
        """Of a molecule; aromatic rings get alternating bonds where the vocabulary has no others.

        Raises:
            InputError: It is no molecule, or has atoms or bonds outside of the vocabulary.
        """
        from graphs.chem import to_graphs

        return cls.of(to_graphs([smiles], vocabulary, sum(limits[: len(vocabulary.nodes)])))

    def to(self, device: torch.device | str) -> "Scaffold":
        """The same on another device."""
        return Scaffold(self.nodes.to(device), self.ends.to(device), self.label.to(device))

    def batch(self, count: int) -> GraphBatch:
        """The scaffold `count` times, as graphs."""
        s = len(self.nodes)
        edges = torch.zeros(s, s, dtype=torch.int64, device=self.nodes.device)
        i, j = self.ends.unbind(1)
        edges[i, j] = edges[j, i] = self.label + 1
        valid = torch.ones(count, s, dtype=torch.bool, device=self.nodes.device)
        return GraphBatch(self.nodes.expand(count, s), edges.expand(count, s, s), valid)

    def check(
        self, vocabulary: Vocabulary, limits: tuple[int, ...], support: Support | None
    ) -> None:
        """Refuse what the model cannot extend.

        Raises:
            InputError: More nodes or edges of a label than any graph of training has, or a node
                with more edges than any of its label.
        """
        names = (*vocabulary.nodes, *vocabulary.edges)
        found = Counter(self.nodes.tolist())
        found.update((len(vocabulary.nodes) + self.label).tolist())
        for place, most in enumerate(limits):
            if found[place] > most:
                raise InputError(
                    f"The scaffold has {found[place]} {names[place] or 'nodes or edges'}, but no "
                    f"graph of training has more than {most}: give a smaller one."
                )
        if support is None:
            return
        table = torch.tensor((0, *support.weight))
        used = table[self.batch(1).edges[0].cpu()].sum(1)
        for node, total in zip(self.nodes.tolist(), used.tolist(), strict=True):
            if total > support.capacity[node]:
                raise InputError(
                    f"The scaffold has {vocabulary.nodes[node] or 'a node'} with more bonds than "
                    "any in training: give another one."
                )
