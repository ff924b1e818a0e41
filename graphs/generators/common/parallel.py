"""The choice of the clusters that split in one call."""

import torch
from torch import Tensor


def choose(sizes: Tensor, joined: Tensor, uniform: Tensor) -> Tensor:
    """Clusters (b, m) to split next, a symmetric function of the state and of exchangeable noise.

    Large clusters go first, equals in random order; and only clusters without an edge between
    them, since splits in one call are independent of each other.

    Args:
        sizes: (b, m) int64 nodes of each cluster, 0 at padding.
        joined: (b, m, m) bool.
        uniform: (b, m) in [0, 1).
    """
    free = sizes > 1
    # Ranks, not sums: of two neighbours with equal sums, neither would be chosen.
    key = sizes * 2**24 + (uniform * 2**24).long()  # all 24 bits, on devices without float64, too
    rank = key.argsort(dim=1, stable=True).argsort(dim=1)
    joined = joined & ~torch.eye(joined.shape[1], dtype=torch.bool, device=joined.device)
    chosen = torch.zeros_like(free)
    while bool(free.any()):
        rival = rank.masked_fill(~free, -1)[:, None].masked_fill(~joined, -1).amax(2)
        fresh = free & (rank > rival)
        chosen = chosen | fresh
        free = free & ~fresh & ~(joined & fresh[:, None]).any(2)
    return chosen
