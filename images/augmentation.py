"""Augmentation that samples do not show: the network is told which training images are changed.

Small affine maps of training images keep a generator from learning the training set by heart. A
changed image has a condition of its own, so that images under the condition of unchanged ones are
as before (distribution augmentation, Jun et al., 2020; conditional augmentation of EDM, Karras et
al., 2022, arXiv 2206.00364, appendix F.2).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from images.build import ImageRefiner
from images.config import AugmentationConfig
from refine_core.grid import ANY_CLASS, GridEmbed
from refine_core.noise import Noise

_STREAM = 1_000
"""Fork of a training step's noise, apart from those of scales."""


class AugmentedTraining(nn.Module):
    """A generator under training, which sees a share of its images changed.

    Args:
        refiner: Its embedding tells two kinds of data apart.
        config: How images are changed.
    """

    def __init__(self, refiner: ImageRefiner, config: AugmentationConfig) -> None:
        super().__init__()
        self.refiner = refiner
        self.config = config

    def forward(self, batch: tuple[Tensor, ...], noise: Noise) -> dict[str, Tensor]:
        """Training losses of images (b, c, h, w), with labels (b,) or without."""
        if not self.config.share:
            return self.refiner(batch, noise)  # type: ignore[no-any-return]
        images, own = batch[0], noise.fork(_STREAM)
        changed = own.uniform(0) < self.config.share
        moved = affine(images, own, self.config)
        images = torch.where(changed[:, None, None, None], moved, images)
        embed = self.refiner.embed
        assert isinstance(embed, GridEmbed)
        labels = batch[1] if len(batch) > 1 else torch.full_like(own.index, ANY_CLASS)
        labels = torch.where(changed, embed.other_kind(labels), labels)
        return self.refiner((images, labels), noise)  # type: ignore[no-any-return]

    def after_step(self) -> None:
        """Let the generator's methods learn from a step."""
        self.refiner.after_step()


def affine(images: Tensor, noise: Noise, config: AugmentationConfig) -> Tensor:
    """Images (b, c, h, w) under random affine maps, one each; what comes in is zero.

    Angle, shear, logarithm of the size and shift are uniform between plus and minus the config's.
    """
    turn, shear, size, *shift = (2 * noise.uniform(1, 5) - 1).unbind(1)
    angle = turn * math.radians(config.rotation)
    cos, sin = angle.cos(), angle.sin()
    size = (size * math.log1p(config.scaling)).exp()
    slant = shear * config.shear
    right, down = (
        move * config.shift * 2 / length
        for move, length in zip(shift, reversed(images.shape[2:]), strict=True)
    )
    rows = [
        torch.stack([size * cos, size * (slant * cos - sin), right]),
        torch.stack([size * sin, size * (slant * sin + cos), down]),
    ]
    maps = torch.stack(rows).permute(2, 0, 1)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
