"""Graphs of which a part is hidden, and the order in which it is revealed."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from refine_core.noise import Noise


@dataclass(frozen=True)
class PartialGraphs:
    """States of b graphs whose nodes and pairs of nodes are known or hidden.

    Args:
        nodes: (b, n) int64 labels in 0..T-1, T where hidden, 0 at padding.
        edges: (b, n, n) int64 labels in 0..O, 0 being no edge, O + 1 where hidden; symmetric, 0 on
            the diagonal and at padding.
        valid: (b, n) bool, False at padding.
        node_rank: (b, n) int64 places in the order in which a graph's elements are revealed.
        edge_rank: (b, n, n) int64, likewise, symmetric.
        labels: T and O.
        width: Count of nodes that random numbers are drawn for, so that they do not depend on the
            batch.
    """

    nodes: Tensor
    edges: Tensor
    valid: Tensor
    node_rank: Tensor
    edge_rank: Tensor
    labels: tuple[int, int]
    width: int

    def __len__(self) -> int:
        """Count of graphs."""
        return len(self.nodes)

    @property
    def node_hidden(self) -> Tensor:
        """(b, n) bool."""
        return (self.nodes == self.labels[0]) & self.valid

    @property
    def edge_hidden(self) -> Tensor:
        """(b, n, n) bool, symmetric."""
        return self.edges == self.labels[1] + 1

    @cached_property
    def pairs(self) -> Tensor:
        """(b, n, n) bool, pairs of different nodes."""
        return pairs(self.valid)

    @cached_property
    def elements(self) -> Tensor:
        """(b,) int64, nodes and pairs, each counted once."""
        size = self.valid.sum(1)
        return size + size * (size - 1) // 2

    @cached_property
    def known(self) -> Tensor:
        """(b,) int64, elements that are not hidden."""
        return self.elements - self.node_hidden.sum(1) - self.edge_hidden.sum((1, 2)) // 2

    def filled(self, code: Tensor) -> "PartialGraphs":
        """With the labels of a code (b, n, 1 + n): 1 + label, or 0 for no change."""
        node, edge = code[:, :, 0], code[:, :, 1:]
        return replace(
            self,
            nodes=torch.where(node > 0, node - 1, self.nodes),
            edges=torch.where(edge > 0, edge - 1, self.edges),
        )

    @classmethod
    def of(
        cls,
        graphs: GraphBatch,
        ranks: tuple[Tensor, Tensor],
        known: Tensor,
        labels: tuple[int, int],
        width: int,
    ) -> "PartialGraphs":
        """Graphs whose elements are known if their rank is below `known` (b,), else hidden."""
        node_rank, edge_rank = ranks
        node = (node_rank >= known[:, None]) & graphs.valid
        edge = (edge_rank >= known[:, None, None]) & pairs(graphs.valid)
        return cls(
            graphs.nodes.masked_fill(node, labels[0]),
            graphs.edges.masked_fill(edge, labels[1] + 1),
            graphs.valid,
            node_rank,
            edge_rank,
            labels,
            max(width, graphs.nodes.shape[1]),
        )


def pairs(valid: Tensor) -> Tensor:
    """(b, n, n) bool, pairs of different valid (b, n) nodes."""
    other = ~torch.eye(valid.shape[1], dtype=torch.bool, device=valid.device)
    return valid[:, :, None] & valid[:, None] & other


def uniforms(noise: Noise, stream: int, n: int, width: int) -> tuple[Tensor, Tensor]:
    """Uniform numbers (b, n) and symmetric ones (b, n, n); the same for any n up to `width`."""
    node = noise.uniform(stream, width)[:, :n]
    upper = noise.uniform(stream + 1, width, width)[:, :n, :n].triu(1)
    return node, upper + upper.transpose(1, 2)


def ranks(node: Tensor, edge: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Ranks (b, n) and (b, n, n) of a graph's elements, in ascending order of numbers.

    Args:
        node: (b, n) numbers below infinity.
        edge: (b, n, n) likewise, symmetric.
        valid: (b, n) bool; padding comes last.
    """
    n = valid.shape[1]
    i, j = torch.triu_indices(n, n, 1, device=valid.device)
    flat = torch.cat([node, edge[:, i, j]], 1)
    inside = torch.cat([valid, pairs(valid)[:, i, j]], 1)
    place = flat.masked_fill(~inside, torch.inf).argsort(1).argsort(1)
    table = torch.zeros_like(edge, dtype=torch.int64)
    table[:, i, j] = table[:, j, i] = place[:, n:]
    return place[:, :n], table
