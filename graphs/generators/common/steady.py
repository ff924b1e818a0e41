"""Row counts rounded up to few, as kernels of half precision are compiled for each new one.

On processors a bfloat16 product of a new shape takes thirty times as long as one of a shape that
was met before; the rows of clusters and edges are as many as graphs happen to have.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rounded(rows: int, steps: int = 4) -> int:
    """The count itself, or more: a multiple of 16, and of a power of two.

    >>> [rounded(rows) for rows in (1, 17, 120, 130, 1000)]
    [16, 32, 128, 160, 1024]

    Args:
        rows: A count from 1.
        steps: Counts between a power of two and the next.
    """
    power = 1 << (rows - 1).bit_length()
    step = max(16, power // (2 * steps))
    return -(-rows // step) * step


def varies(device: torch.device) -> bool:
    """Whether row counts are to be rounded: on processors, in half precision."""
    return device.type == "cpu" and torch.is_autocast_enabled("cpu")


def by_rows(network: nn.Module, x: Tensor) -> Tensor:
    """What a network that treats each row alone gives for rows (..., d)."""
    rows = x.shape[:-1].numel()
    if not rows or not varies(x.device):
        return network(x)  # type: ignore[no-any-return]
    flat = F.pad(x.reshape(rows, -1), (0, 0, 0, rounded(rows) - rows))
    made: Tensor = network(flat)[:rows]
    return made.view(*x.shape[:-1], made.shape[-1])
