"""The random tree along which the scaffold of a sample comes apart."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.common.coarsening import contract
from graphs.generators.common.streams import ScaffoldStream
from graphs.generators.scaffold.scaffold import Scaffold
from refine_core.noise import Noise


@dataclass(frozen=True)
class Decomposition:
    """One contraction tree of a scaffold for each of b samples, and what its nodes hold.

    A tree over s nodes has 2s - 1 nodes, the parts of the scaffold; the last row of each table is
    the empty part.

    Args:
        children: (b, 2s, 2) int64, the empty part at leaves.
        root: (b,) int64.
        members: (b, 2s, s) bool.
        size: (b, 2s) int64.
        nodes: (b, 2s, T) int64 by label.
        inner: (b, 2s, O) int64 edges inside by label.
        cycles: (b, 2s) int64 edges beyond those of a forest.
    """

    children: Tensor
    root: Tensor
    members: Tensor
    size: Tensor
    nodes: Tensor
    inner: Tensor
    cycles: Tensor

    @classmethod
    def sample(cls, scaffold: Scaffold, noise: Noise, labels: int, kinds: int) -> "Decomposition":
        """Contract the scaffold alone, once per sample."""
        count, s = len(noise.index), len(scaffold.nodes)
        graphs = scaffold.batch(count)
        tree = contract(graphs, noise.uniform(ScaffoldStream.COARSENING, s))
        members = F.pad(tree.members, (0, 0, 0, 1))
        children = F.pad(tree.children, (0, 0, 0, 1), value=-1)
        children = torch.where(children < 0, 2 * s - 1, children)
        nodes = members.float() @ F.one_hot(scaffold.nodes, labels).float()
        both = members[:, :, scaffold.ends].all(3).float()
        inner = both @ F.one_hot(scaffold.label, kinds).float()
        size = members.sum(2)
        cycles = inner.sum(2).long() - size + _parts(members, graphs.edges > 0)
        return cls(children, tree.root, members, size, nodes.long(), inner.long(), cycles)

    @property
    def empty(self) -> int:
        """Row of the empty part."""
        return self.size.shape[1] - 1

    def at(self, name: str, node: Tensor) -> Tensor:
        """Rows `node` (c, ...) of a table; c is a multiple of b where samples share a tree."""
        table: Tensor = getattr(self, name)
        row = torch.arange(len(node), device=node.device) // (len(node) // len(table))
        return table[row.view(-1, *[1] * (node.ndim - 1)), node]


def _parts(members: Tensor, joined: Tensor) -> Tensor:
    """(b, t) components of the graph between the members (b, t, s), with edges (b, s, s)."""
    s = members.shape[2]
    reach = (joined | torch.eye(s, dtype=torch.bool, device=joined.device))[:, None]
    reach = reach & members[:, :, :, None] & members[:, :, None]
    for _ in range(max(1, s.bit_length())):
        reach = (reach.float() @ reach.float()) > 0
    together = reach.sum(3).clamp(min=1)
    return (members / together).sum(2).round().long()
