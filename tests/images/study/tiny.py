"""Data of which everything is known, in spaces of four numbers or four letters."""

import torch
from torch import Tensor, nn

from images.study.backbone import TransformerShape
from images.study.continuous_diffusion import ContinuousDiffusion
from images.study.spaces import CodeSpace, Space

GREY = torch.tensor([0, 128, 255]) / 255
"""The three grey levels of letters."""
SHAPE = TransformerShape(dim=16, depth=2, heads=2)


class Numbers(Space):
    """Images of 2 x 2 pixels are their own values."""

    size, channels = (2, 2), 1

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, values: Tensor) -> Tensor:
        return values


class Letters(CodeSpace):
    """Images of 2 x 2 pixels of one of three grey levels are their own codes."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.size, self.digits, self.values = (2, 2), 1, 3

    def encode(self, images: Tensor) -> Tensor:
        return (2 * images).round().long().flatten(1)[..., None]

    def decode(self, codes: Tensor) -> Tensor:
        return GREY[codes].view(-1, 1, 2, 2)


class Perfect(nn.Module):
    """Stands for the backbone of a denoiser: predicts from the exact mean of clean values."""

    def __init__(self, arm: ContinuousDiffusion) -> None:
        super().__init__()
        self.scales, self.target = arm.scales, arm.target

    def mean(self, noisy: Tensor, a: Tensor, s: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, noisy: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        a, s = self.scales(time)
        clean = self.mean(noisy, a, s)
        return self.target(clean, (noisy - a * clean) / s.clamp(min=1e-6), time)

    def guided(self, noisy: Tensor, time: Tensor, labels: Tensor, weight: float) -> Tensor:
        out: Tensor = self(noisy, time, labels)
        return out


class Normal(Perfect):
    """Of data N(centre, spread^2)."""

    centre, spread = 0.3, 0.5

    def mean(self, noisy: Tensor, a: Tensor, s: Tensor) -> Tensor:
        gain = a * self.spread**2 / (a**2 * self.spread**2 + s**2)
        return self.centre + gain * (noisy - a * self.centre)


class TwoPoints(Perfect):
    """Of data that are 1 with probability 0.7, else -1, in every dimension."""

    odds = 0.7

    def mean(self, noisy: Tensor, a: Tensor, s: Tensor) -> Tensor:
        logit = 2 * a * noisy / s.clamp(min=1e-6) ** 2 + torch.tensor(self.odds).logit()
        return 2 * logit.sigmoid() - 1


class Twins(TwoPoints):
    """Of data that are 1 in all dimensions with probability 0.7, else -1 in all."""

    def mean(self, noisy: Tensor, a: Tensor, s: Tensor) -> Tensor:
        logit = (2 * a * noisy / s.clamp(min=1e-6) ** 2).sum((1, 2, 3), keepdim=True)
        both = 2 * (logit + torch.tensor(self.odds).logit()).sigmoid() - 1
        return both.expand_as(noisy)


class Words:
    """A random law of words of four letters; replaces `AbsorbingDiffusion.logits`."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(3)
        table = torch.randn(3, 3, 3, 3, generator=generator).mul(1.5).flatten().softmax(0)
        self.table = table
        self.words = torch.cartesian_prod(*[torch.arange(3)] * 4)

    def __call__(self, codes: Tensor, masked: Tensor, labels: Tensor, guidance: float) -> Tensor:
        fits = (codes[:, None, :, 0] == self.words) | masked[:, None, :, 0]
        chance = fits.all(2) * self.table
        letters = nn.functional.one_hot(self.words, 3).float()
        return torch.einsum("bw,wnv->bnv", chance, letters).log()[:, :, None]

    def images(self, count: int) -> Tensor:
        generator = torch.Generator().manual_seed(4)
        drawn = torch.multinomial(self.table, count, replacement=True, generator=generator)
        return GREY[self.words[drawn]].view(-1, 1, 2, 2)
