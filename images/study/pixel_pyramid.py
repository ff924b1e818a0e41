"""Refinement without a tokeniser that learns: pyramids of pixels, or of features that are given.

The state of a pixel pyramid is an image, kept as a grid of patches. Sizes of 4, 8, 16 and 28
pixels in patches of 4 x 4 make grids of 1, 2, 4 and 7 cells of 16 channels: as many tokens, of as
many channels, as a pyramid of an autoencoder's latents, so that a transformer costs the same on
both. Resampling acts on the pixels (paper, eq. 7 to 9); all else is `ResidualTokenizer`.

What a cell holds is coded by the quantiser that is given: codebooks, which k-means alone learns,
or `Exact`, for real-valued codes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from images.study.likelihood import LEVELS, dequantised
from images.study.spaces import LatentSpace
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.pyramid import GridPyramid, Size, area
from refine_core.quantizers.base import Quantizer
from refine_core.residual import ResidualTokenizer
from refine_core.schedule import ScaleSchedule


class PatchPyramid(nn.Module):
    """A pyramid of images whose pixels are kept in patches.

    Args:
        sizes: Cells of each scale along each axis, coarse to fine.
        patch: Side of a patch.
    """

    def __init__(self, sizes: Sequence[Size], patch: int) -> None:
        super().__init__()
        self.sizes = tuple(tuple(size) for size in sizes)
        self.patch = patch
        self.pixels: GridPyramid = area([tuple(patch * n for n in size) for size in self.sizes])

    def resample(self, x: Tensor, source: int, target: int) -> Tensor:
        """Move patches (b, c * patch^2, *sizes[source]) to (b, c * patch^2, *sizes[target])."""
        if self.sizes[source] == self.sizes[target]:
            return x
        pixels = self.pixels.resample(F.pixel_shuffle(x, self.patch), source, target)
        return F.pixel_unshuffle(pixels, self.patch)


class ToPatches(nn.Module):
    """Images (b, c, h, w) in [0, 1] to patches (b, c * patch^2, h / patch, w / patch) in [-1, 1].

    Grey level v becomes (v + 1/2) / 128 - 1, the middle of what it is dequantised to.

    Args:
        patch: Side of a patch.
    """

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.patch = patch

    def forward(self, images: Tensor) -> Tensor:
        """Patches of images."""
        values = ((LEVELS - 1) * images + 0.5) / (LEVELS / 2) - 1
        return F.pixel_unshuffle(values, self.patch)


class FromPatches(nn.Module):
    """Inverse of `ToPatches`, cut off at 0 and 1.

    Args:
        patch: Side of a patch.
    """

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.patch = patch

    def forward(self, patches: Tensor) -> Tensor:
        """Images of patches."""
        levels = (F.pixel_shuffle(patches, self.patch) + 1) * (LEVELS / 2) - 0.5
        return (levels / (LEVELS - 1)).clamp(0, 1)


class PixelTokenizer(ResidualTokenizer):
    """The residual loop over a pyramid of pixels; it has no parameters but its codebooks.

    Args:
        schedule: Sizes in cells; the finest times `patch` is that of the images.
        quantizers: One for each scale, of c * patch^2 channels.
        patch: Side of a patch.
        dequantise: Whether features get uniform noise within their grey level where noise is
            given, as a density over real-valued codes needs.

    Raises:
        InputError: Parts do not fit together, see `ResidualTokenizer`.
    """

    def __init__(
        self,
        schedule: ScaleSchedule,
        quantizers: Sequence[Quantizer],
        patch: int = 4,
        *,
        dequantise: bool = False,
    ) -> None:
        pyramid = PatchPyramid(schedule.sizes, patch)
        super().__init__(schedule, pyramid, quantizers, ToPatches(patch), FromPatches(patch))
        self.patch, self.dequantise = patch, dequantise

    def features(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        """Patches (b, c * patch^2, *finest) of images (b, c, h, w).

        Raises:
            InputError: The images are not of the finest size; or they have other values than 256
                grey levels, and are to be dequantised.
        """
        wanted = tuple(self.patch * n for n in self.schedule[-1].size)
        if x.shape[2:] != wanted:
            raise InputError(
                f"Found images of {tuple(x.shape[2:])}, expected {wanted}: the finest size of the "
                f"schedule times patches of {self.patch}."
            )
        if noise is None or not self.dequantise:
            return super().features(x)
        return F.pixel_unshuffle(dequantised(x, noise), self.patch)


class _Standardised(nn.Module):
    """The encoder of a latent space, as a module."""

    def __init__(self, space: LatentSpace) -> None:
        super().__init__()
        self.space = space

    def forward(self, images: Tensor) -> Tensor:
        return self.space.encode(images)


class _Decoded(nn.Module):
    """The decoder of a latent space, as a module."""

    def __init__(self, space: LatentSpace) -> None:
        super().__init__()
        self.space = space

    def forward(self, values: Tensor) -> Tensor:
        return self.space.decode(values)


def latent_tokenizer(
    space: LatentSpace, schedule: ScaleSchedule, quantizers: Sequence[Quantizer]
) -> ResidualTokenizer:
    """The residual loop over a pyramid of a frozen autoencoder's latents, before quantisation.

    Nothing of it learns but codebooks: pyramids of different schedules share one autoencoder.

    Args:
        space: Of the finest size of the schedule.
        schedule: Sizes in cells.
        quantizers: One for each scale, of the space's channels.

    Raises:
        InputError: Parts do not fit together.
    """
    if schedule[-1].size != space.size:
        raise InputError(
            f"Found a finest size of {schedule[-1].size} for latents on a grid of {space.size}: "
            "end the schedule with it."
        )
    encoder, decoder = _Standardised(space), _Decoded(space)
    return ResidualTokenizer(schedule, area(schedule.sizes), quantizers, encoder, decoder)


@torch.no_grad()
def fit_codebooks(
    tokenizer: ResidualTokenizer, images: Tensor, *, batch: int = 500, rounds: int = 1
) -> None:
    """Learn codebooks alone: k-means on the first batch, then moving averages over the others.

    Scales learn at once, each from what those before it leave.

    Args:
        tokenizer: In evaluation mode afterwards.
        images: Training images (n, c, h, w).
        batch: Images of an update; the first has to be several times as many as there are codes.
        rounds: Passes over the images.
    """
    tokenizer.train()
    for _ in range(rounds):
        for part in images.split(batch):
            tokenizer.trace(tokenizer.features(part))
            tokenizer.after_step()
    tokenizer.eval()
