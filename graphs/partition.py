"""The state that refinement refines: a graph of clusters, and which of them split next.

Of a cluster only sums are known: how many nodes of each label it holds, how many edges of each
label run inside it. An edge between clusters is an edge of the graph of which the clusters at
both ends are known, but not yet the nodes. Splitting divides these sums exactly, so composition
and edge totals never drift.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from graphs.edges import pair_counts
from refine_core.noise import Noise

Parallel = Literal["one", "independent", "all"]


@dataclass(frozen=True)
class Partition:
    """States of b graphs.

    Args:
        nodes: (b, m, T) int64, nodes of each label in each cluster; before the first scale the
            largest that a graph may have.
        inner: (b, m, O) int64, edges of each label inside each cluster.
        valid: (b, m) bool, False at padding.
        ends: (b, e, 2) int64, clusters at the two ends of each edge between clusters.
        label: (b, e) int64 in 0..O-1, of those edges.
        real: (b, e) bool, False at padding.
        split: (b, m) bool, clusters that the next codes split.
        noise: Names the samples.
        started: Whether the sums are those of a graph.
    """

    nodes: Tensor
    inner: Tensor
    valid: Tensor
    ends: Tensor
    label: Tensor
    real: Tensor
    split: Tensor
    noise: Noise
    started: bool = True

    def __len__(self) -> int:
        """Count of graphs."""
        return len(self.nodes)

    @property
    def sizes(self) -> Tensor:
        """(b, m) nodes of each cluster."""
        return self.nodes.sum(2)

    @property
    def joined(self) -> Tensor:
        """(b, m, m) bool, clusters with an edge between them."""
        return self.edge_counts > 0

    @property
    def edge_counts(self) -> Tensor:
        """(b, m, m) int64, edges between clusters."""
        return pair_counts(self.ends, self.real, self.valid.shape[1])

    @property
    def outer(self) -> Tensor:
        """(b, m, O) int64, edges of each label that leave each cluster."""
        table = torch.zeros_like(self.inner)
        b, e = torch.nonzero(self.real, as_tuple=True)
        one = torch.ones_like(b)
        for side in (0, 1):
            table.index_put_((b, self.ends[b, e, side], self.label[b, e]), one, accumulate=True)
        return table


def choose(sizes: Tensor, joined: Tensor, uniform: Tensor, parallel: Parallel) -> Tensor:
    """Clusters (b, m) to split next, a symmetric function of the state and of exchangeable noise.

    Large clusters go first, equals in random order. 'all' splits every cluster of two nodes or
    more; 'independent' only such as have no edge between them, for splits drawn at once cannot see
    each other; 'one' a single one.

    Args:
        sizes: (b, m) int64 nodes of each cluster, 0 at padding.
        joined: (b, m, m) bool.
        uniform: (b, m) in [0, 1).
        parallel: How many at once.
    """
    free = sizes > 1
    if parallel == "all":
        return free
    rank = sizes + uniform
    if parallel == "one":
        best = rank.masked_fill(~free, -1).argmax(1, keepdim=True)
        return torch.zeros_like(free).scatter(1, best, True) & free
    joined = joined & ~torch.eye(joined.shape[1], dtype=torch.bool, device=joined.device)
    chosen = torch.zeros_like(free)
    while bool(free.any()):
        rival = rank.masked_fill(~free, -1)[:, None].masked_fill(~joined, -1).amax(2)
        fresh = free & (rank > rival)
        chosen = chosen | fresh
        free = free & ~fresh & ~(joined & fresh[:, None]).any(2)
    return chosen
