"""Smooth images to denoise."""

import torch
from torch import Tensor, nn


def blobs(count: int, seed: int) -> Tensor:
    """Smooth images (count, 1, 8, 8) in [0, 1]."""
    coarse = torch.rand(count, 1, 3, 3, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, size=(8, 8), mode="bilinear")
