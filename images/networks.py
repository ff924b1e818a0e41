"""Convolutional encoder and decoder between images and a grid of features, and phi of VAR."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Encoder(nn.Module):
    """Images (b, c, h, w) to features (b, d, ceil(h / patch), ceil(w / patch)).

    Patches become channels first, so all convolutions run on the small grid.
    """

    def __init__(self, channels: int, dim: int, width: int, blocks: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.enter = nn.Conv2d(channels * patch**2, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.leave = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, dim, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Features (b, d, ceil(h / patch), ceil(w / patch)) of images (b, c, h, w)."""
        height, width = image.shape[2:]
        padded = F.pad(image, (0, -width % self.patch, 0, -height % self.patch), mode="replicate")
        hidden = self.blocks(self.enter(F.pixel_unshuffle(padded, self.patch)))
        features: Tensor = self.leave(hidden)
        return features


class Decoder(nn.Module):
    """Features (b, d, ceil(h / patch), ceil(w / patch)) to images (b, c, h, w) in [0, 1].

    Patches overlap: a last convolution on the full grid removes their seams.
    """

    def __init__(
        self, channels: int, size: tuple[int, int], dim: int, width: int, blocks: int, patch: int
    ) -> None:
        super().__init__()
        self.size, self.patch = size, patch
        fine = 16
        self.enter = nn.Conv2d(dim, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.leave = nn.Sequential(
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, fine * patch**2, 1)
        )
        self.smooth = nn.Sequential(nn.SiLU(), nn.Conv2d(fine, channels, 3, padding=1))

    def forward(self, features: Tensor) -> Tensor:
        """Images (b, c, h, w) of features (b, d, ceil(h / patch), ceil(w / patch))."""
        hidden = F.pixel_shuffle(self.leave(self.blocks(self.enter(features))), self.patch)
        image: Tensor = self.smooth(hidden).sigmoid()
        return image[:, :, : self.size[0], : self.size[1]]


class ResidualBlock(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x))))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`."""
        out: Tensor = x + self.body(x)
        return out


class Phi(nn.Module):
    """phi_k of VAR: half the expanded value, half its convolution, which sharpens it."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, padding=1)
        with torch.no_grad():
            nn.init.dirac_(self.conv.weight)
            nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, value: Tensor) -> Tensor:
        """Same shape as `value`, (b, d, h, w)."""
        out: Tensor = 0.5 * value + 0.5 * self.conv(value)
        return out
