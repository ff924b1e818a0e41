# mypy: ignore-errors
"""Latents of graphs while their bits are drawn."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Latents:
    """States of b graphs, or what is encoded of them.

    Args:
        nodes: (b, n, c).
        slots: (b, s, c).
        valid: (b, n) bool, False at padding.
        rank: (b, n) int64, places in the order in which nodes are revealed.
        cut: (b,) in [0, 1), share of nodes in the first of two parts where these are unequal.
        plane: That the next scale refines; 0 are the slots.
        known: (b, n) bool, nodes whose bits of that plane are known.
        fresh: (b, n) bool, nodes whose bits the next scale reveals.
    """

    nodes: Tensor
    slots: Tensor
    valid: Tensor
    rank: Tensor
    cut: Tensor
    plane: int
    known: Tensor
    fresh: Tensor

    def __len__(self) -> int:
        """Count of graphs."""
        return len(self.nodes)
