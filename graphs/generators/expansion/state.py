"""The state that expansion refines: a coarse graph of clusters, and which of them split next.

An edge between two clusters is one number, however many edges of the graph it stands for: their
count, or only that there are some. A scale splits clusters that have no edge between them, so each
edge is divided among the children at one of its ends at a time.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.common.coarsening import Tree
from graphs.generators.common.parallel import choose
from refine_core.noise import Noise

CLUSTER_DIGITS = 4  # digits of a code before those of the edges to other clusters


@dataclass(frozen=True)
class CoarseGraph:
    """States of b graphs.

    Args:
        size: (b, m) int64 nodes of each cluster, 0 at padding.
        inner: (b, m) int64 edges inside each cluster; zero where they are not counted.
        edges: (b, m, m) int64 edges between clusters, symmetric, 0 on the diagonal; one at most
            where they are not counted.
        split: (b, m) bool, clusters that the next codes split.
        noise: Names the samples.
        tree: The contraction that is undone; None in sampling.
        node: (b, m) int64 the node of the tree that each cluster is.
        started: Whether the edges of the whole graph are known, where they are counted.
    """

    size: Tensor
    inner: Tensor
    edges: Tensor
    split: Tensor
    noise: Noise
    tree: Tree | None = None
    node: Tensor | None = None
    started: bool = True

    def __len__(self) -> int:
        """Count of graphs."""
        return len(self.size)

    @property
    def valid(self) -> Tensor:
        """(b, m) bool, False at padding."""
        return self.size > 0

    def divided(self, code: Tensor) -> "CoarseGraph":
        """The state after the splits of a code; which clusters split next is left open.

        Args:
            code: (b, m, CLUSTER_DIGITS + 2 m) int64, of each cluster that splits: nodes of its
                first child, edges inside its first and second, edges between them, edges of the
                first child to each cluster, edges of the second; zero elsewhere.
        """
        if not self.started:
            return replace(self, inner=code[:, :, 1], started=True)
        m = self.size.shape[1]
        fresh = self.valid.sum(1, keepdim=True) + self.split.cumsum(1) - 1
        wide = int((self.valid.sum(1) + self.split.sum(1)).max())
        b, i = torch.nonzero(self.split, as_tuple=True)
        new = fresh[b, i]
        first, second = code[:, :, CLUSTER_DIGITS:].split(m, 2)
        # An edge stays if neither of its clusters splits; clusters that split are not joined.
        still = ~(self.split[:, :, None] | self.split[:, None])
        edges = self.edges * still + first + first.mT
        edges = F.pad(edges, (0, wide - m, 0, wide - m))
        edges[b, new, :m] = second[b, i]
        edges[b, :m, new] = second[b, i]
        edges[b, i, new] = edges[b, new, i] = code[b, i, 3]
        size, inner = (F.pad(x, (0, wide - m)) for x in (self.size, self.inner))
        size[b, new] = self.size[b, i] - code[b, i, 0]
        size[b, i] = code[b, i, 0]
        inner[b, i], inner[b, new] = code[b, i, 1], code[b, i, 2]
        node = self.node
        if self.tree is not None and node is not None:
            pair = self.children(self.tree, node)
            node = F.pad(torch.where(self.split, pair[:, :, 0], node), (0, wide - m))
            node[b, new] = pair[b, i, 1]
        return replace(
            self,
            size=size,
            inner=inner,
            edges=edges,
            split=torch.zeros_like(size).bool(),
            node=node,
        )

    def chosen(self, k: int) -> "CoarseGraph":
        """With a random choice of clusters that split at scale k, no two of them joined."""
        if not self.started:
            return replace(self, split=self.valid)
        uniform = self.noise.uniform(k, self.size.shape[1])
        large = self.size * 2 > self.size.amax(1, keepdim=True)
        split = choose(self.size * large, self.edges > 0, uniform)
        return replace(self, split=split)

    @staticmethod
    def children(tree: Tree, node: Tensor) -> Tensor:
        """(b, m, 2) children of tree nodes (b, m); -1 for none."""
        return tree.children.gather(1, node[:, :, None].expand(-1, -1, 2))
