"""A relabelled padded batch, and the way back to the original labels."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graphs.invariance.outputs import Kind


@dataclass(frozen=True)
class DenseView:
    """A relabelled padded batch, and the way back.

    Args:
        batch: As the module takes it.
        inputs: The further inputs, node, edge and graph level.
        rows: (b, m) row of each original node, zero beyond a graph's size.
        real: (b, m) bool, whether there is such a node.
        width: Rows.
    """

    batch: Any
    inputs: tuple[Tensor, ...]
    rows: Tensor
    real: Tensor
    width: int

    def read(self, tensor: Tensor, kind: Kind) -> Tensor:
        """The entries of an output that belong to nodes, or pairs of them, in original order."""
        graph = torch.arange(len(self.rows))[:, None]
        if kind == "node":
            return tensor[graph, self.rows][self.real]
        if kind == "edge":
            pair = tensor[graph[:, :, None], self.rows[:, :, None], self.rows[:, None]]
            return pair[self.real[:, :, None] & self.real[:, None]]
        return tensor

    def align(self, tensor: Tensor, wide: torch.Size, width: int) -> Tensor | None:
        """The same of any tensor inside of a module, where the batch is one graph.

        Args:
            tensor: Of any layout.
            wide: Shape of its counterpart in a batch of `width` rows: a dimension that is as
                large as the rows in both runs over nodes.
            width: Unequal to the rows here.

        Returns:
            None where a dimension grows in another way.
        """
        for dim, (here, there) in enumerate(zip(tensor.shape, wide, strict=True)):
            if here == self.width and there == width:
                tensor = tensor.index_select(dim, self.rows[0].to(tensor.device))
            elif here != there:
                return None
        return tensor
