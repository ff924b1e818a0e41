"""A relabelled batch of PyTorch Geometric, and the way back to the original labels."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graphs.invariance.outputs import Kind


@dataclass(frozen=True)
class SparseView:
    """A relabelled batch, and the way back.

    Args:
        batch: The PyG Batch.
        inputs: The further inputs, node, edge and graph level.
        nodes: (N,) row of each original node.
        edges: (E,) column of each original edge.
        width: Rows of the batch, N.
    """

    batch: Any
    inputs: tuple[Tensor, ...]
    nodes: Tensor
    edges: Tensor
    width: int

    def read(self, tensor: Tensor, kind: Kind) -> Tensor:
        """An output in the original order."""
        rows = {"node": self.nodes, "edge": self.edges}.get(kind)
        return tensor if rows is None else tensor[rows]

    def align(self, tensor: Tensor, wide: torch.Size, width: int) -> Tensor | None:
        """The same of any tensor inside of a module, where the batch is one graph.

        Integers are taken for indices of nodes, which say nothing about a break: none are kept.

        Args:
            tensor: Of any layout.
            wide: Shape of its counterpart for `Sparse.probe`, which tells what dimensions mean.
            width: Nodes of the probe.

        Returns:
            None where a dimension grows in another way.
        """
        if not tensor.is_floating_point():
            return tensor.new_zeros(0)
        for dim, size in enumerate(zip(tensor.shape, wide, strict=True)):
            if size == (len(self.nodes), width):
                tensor = tensor.index_select(dim, self.nodes.to(tensor.device))
            elif size == (len(self.edges), 2 * len(self.edges)):
                tensor = tensor.index_select(dim, self.edges.to(tensor.device))
            elif size[0] != size[1] and size != (1, 3):
                return None
        return tensor
