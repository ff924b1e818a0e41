"""TODO."""

import torch
from torch import Tensor


def bounded(logits: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Logits (..., values) with minus infinity outside of [low, high]."""
    value = torch.arange(logits.shape[-1], device=logits.device)
    outside = (value < low[..., None]) | (value > high[..., None])
    return logits.masked_fill(outside, -torch.inf)
