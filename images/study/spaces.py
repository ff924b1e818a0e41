"""The spaces that arms generate in: pixels, latents and codes, on grids of the same size.

Latents and codes come from one frozen autoencoder, a trained `ResidualTokenizer`: latents are its
features before they are quantised, codes are those of a tokeniser of one scale.
"""

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.device import full_precision
from refine_core.errors import InputError
from refine_core.residual import ResidualTokenizer


class Space(nn.Module, ABC):
    """Real numbers on a grid that stand for an image.

    Attributes:
        size: (h, w) of the grid.
        channels: Channels of a cell.
        limits: Least and largest value, where there are such.
    """

    size: tuple[int, int]
    channels: int
    limits: tuple[float, float] | None = None

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Values (b, c, h, w), of about unit scale, of images (b, 1, H, W) in [0, 1]."""

    @abstractmethod
    def decode(self, values: Tensor) -> Tensor:
        """Images (b, 1, H, W) in [0, 1] of values."""

    def bound(self, values: Tensor) -> Tensor:
        """Values within the limits."""
        return values if self.limits is None else values.clamp(*self.limits)


class PixelSpace(Space):
    """Pixels in [-1, 1]; a cell is a patch of them.

    Args:
        image: (c, H, W) of the images.
        patch: Side of a patch; divides H and W.

    Raises:
        InputError: It does not.
    """

    limits = (-1.0, 1.0)

    def __init__(self, image: tuple[int, int, int] = (1, 28, 28), patch: int = 4) -> None:
        super().__init__()
        channels, height, width = image
        if height % patch or width % patch:
            raise InputError(
                f"Found images of {height}x{width} for patches of {patch}: choose a patch that "
                "divides both sides."
            )
        self.size, self.channels = (height // patch, width // patch), channels * patch**2
        self.patch = patch

    def encode(self, images: Tensor) -> Tensor:
        """Patches of 2 x - 1."""
        return F.pixel_unshuffle(2 * images - 1, self.patch)

    def decode(self, values: Tensor) -> Tensor:
        """Inverse of `encode`, cut off at 0 and 1."""
        return ((F.pixel_shuffle(values, self.patch) + 1) / 2).clamp(0, 1)


class LatentSpace(Space):
    """Features of a frozen autoencoder, of mean zero and variance one in each channel.

    As latent diffusion (Rombach et al., 2022, arXiv 2112.10752), which scales by the overall
    deviation; tokenisers' channels differ more, so each has its own.

    Args:
        tokenizer: Trained. Its codebooks stand before its decoder, which knows nothing else, as in
            latent diffusion's variant with vector quantisation.
        images: Training images (n, 1, H, W) that means and deviations are those of.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, tokenizer: ResidualTokenizer, images: Tensor) -> None:
        super().__init__()
        self.tokenizer = tokenizer.eval().requires_grad_(False)
        with torch.no_grad():
            features = torch.cat([tokenizer.features(part) for part in images.split(500)])
        self.size = (features.shape[2], features.shape[3])
        self.channels = features.shape[1]
        across = (0, 2, 3)
        self.register_buffer("mean", features.mean(across)[:, None, None])
        self.register_buffer("deviation", features.std(across)[:, None, None].clamp(min=1e-6))

    def train(self, mode: bool = True) -> "LatentSpace":
        """Nothing here is trained."""
        return super().train(False)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Standardised features."""
        with full_precision(images.device):
            return (self.tokenizer.features(images) - self.mean) / self.deviation

    def decode(self, values: Tensor) -> Tensor:
        """Images that the autoencoder decodes of quantised values."""
        trace = self.tokenizer.trace(values * self.deviation + self.mean)
        return self.tokenizer.finish(trace.states[-1])


class CodeSpace(nn.Module):
    """Codes of a frozen tokeniser of one scale: every digit of every cell is a variable.

    Args:
        tokenizer: Trained, of one scale in one part.

    Raises:
        InputError: It has several scales.
    """

    def __init__(self, tokenizer: ResidualTokenizer) -> None:
        super().__init__()
        if len(tokenizer.schedule) != 1:
            raise InputError(
                f"Found a tokeniser of the scales {tokenizer.schedule}, expected one of a single "
                "scale: train one with one size."
            )
        self.tokenizer = tokenizer.eval().requires_grad_(False)
        height, width = tokenizer.schedule[0].size
        self.size = (height, width)
        self.digits, self.values = tokenizer.digits(0), tokenizer.digit_values(0)

    def train(self, mode: bool = True) -> "CodeSpace":
        """Nothing here is trained."""
        return super().train(False)

    @property
    def variables(self) -> int:
        """Count of variables of an image."""
        return math.prod(self.size) * self.digits

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Codes (b, n, g) of images."""
        with full_precision(images.device):
            return self.tokenizer.encode(images)[0]

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Images of codes (b, n, g)."""
        return self.tokenizer.decode([codes])
