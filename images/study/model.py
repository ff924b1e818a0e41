"""What every arm of the study is: trained alike, sampled at several costs, scored in bits.

An arm is one cell of the design: a space (pixels, latents, codes), a generative model in it, and
the backbone that all arms share. The study asks an arm for nothing but what is here.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.noise import Noise


@dataclass(frozen=True)
class Setting:
    """One way to sample: a point on a frontier of quality and cost.

    Args:
        calls: Calls of the transformer for a sample. A guided call, of a batch twice as large,
            counts as one.
        sampler: Name of the sampler, e.g. "ddim"; "" where an arm has one only.
        guidance: Weight w of classifier-free guidance, (1 + w) conditional - w unconditional; 0 is
            the conditional model itself.
        temperature: Divides the logits of codes; an arm of continuous values takes 1 only.
        choice_temperature: Of the Gumbel noise by which MaskGIT's sampler chooses what to reveal;
            others do without.

    Raises:
        InputError: A number is out of its range.
    """

    calls: int
    sampler: str = ""
    guidance: float = 0.0
    temperature: float = 1.0
    choice_temperature: float = 4.5

    def __post_init__(self) -> None:
        ranges = {
            "calls": (self.calls >= 1, "one or more"),
            "guidance": (self.guidance > -1, "above -1; 0 is none"),
            "temperature": (self.temperature >= 0, "zero or more"),
            "choice_temperature": (self.choice_temperature >= 0, "zero or more"),
        }
        for name, (fits, expected) in ranges.items():
            if not fits:
                raise InputError(f"{name} is {getattr(self, name)}, expected {expected}.")


@dataclass(frozen=True)
class Bits:
    """Bits per dimension of images under uniform dequantisation (Theis et al., arXiv 1511.01844).

    Args:
        per_dim: (b,) float64: of each image, -log2 p(256 x + u) / (c h w), u uniform in [0, 1).
        kind: "exact" where the density p is the model's own, "bound" where the number is an upper
            bound on its bits (an estimate of which is the mean over images).
    """

    per_dim: Tensor
    kind: Literal["exact", "bound"]


class StudyModel(nn.Module, ABC):
    """Base of all arms. `refine_core.training.fit` trains it on images and labels.

    Attributes:
        tokens: Tokens of the transformer that a sample costs in a training step. Arms have equal
            compute where tokens times steps are equal.
    """

    tokens: int

    @abstractmethod
    def forward(self, batch: tuple[Tensor, Tensor], noise: Noise) -> dict[str, Tensor]:
        """Training losses, "loss" among them, of images and their labels.

        Args:
            batch: Images (b, 1, 28, 28) in [0, 1] and labels (b,) int64.
            noise: Random numbers of the training step.
        """

    @abstractmethod
    def settings(self) -> list[Setting]:
        """Ways to sample that the study measures, the cheapest first; unguided."""

    @abstractmethod
    def sample(self, noise: Noise, labels: Tensor, setting: Setting) -> Tensor:
        """Images (b, 1, 28, 28) in [0, 1].

        Image i depends on the seed, its own index and label only.

        Args:
            noise: Names the samples.
            labels: (b,) int64; `refine_core.grid.ANY_CLASS` is any.
            setting: How to sample.

        Raises:
            InputError: The arm cannot sample in this way.
        """

    @abstractmethod
    def states(self, noise: Noise, labels: Tensor, setting: Setting) -> list[Tensor]:
        """What `sample` would give if it stopped after each call: images, the last its own.

        A refiner decodes the state of the scales so far; a diffusion model gives the clean image
        that it expects. On these the energy of the paper's eq. 11 is measured.
        """

    @abstractmethod
    def guess(
        self,
        images: Tensor,
        labels: Tensor,
        step: int,
        setting: Setting,
        forward: Noise,
        noise: Noise,
    ) -> Tensor:
        """Images (b, 1, h, w) of the state of `images` after `step` calls.

        Their mean over `noise` is what the model expects.

        Args:
            images: (b, 1, h, w) of 256 grey levels, in [0, 1].
            labels: (b,) int64.
            step: 0, where nothing is known, to all calls of the setting.
            setting: How to sample.
            forward: Noise of the forward process, which leads to the state.
            noise: Noise of the calls that are left, where they draw.
        """

    @torch.no_grad()
    def calibrate(self, images: Tensor, labels: Tensor, noise: Noise) -> None:  # noqa: B027
        """Fit what `bits` needs besides the trained network, as a decoder's likelihood.

        It is called once, after the training and before `bits`; what it fits are buffers.

        Args:
            images: Training images (n, 1, 28, 28), some thousands.
            labels: (n,) int64.
            noise: Names the images.
        """

    def bits(self, images: Tensor, labels: Tensor, noise: Noise) -> Bits | None:
        """Bits per dimension given the labels; None where the arm has neither density nor bound.

        Args:
            images: (b, 1, 28, 28) of 256 grey levels, in [0, 1].
            labels: (b,) int64; `refine_core.grid.ANY_CLASS` is any, for bits without the class.
            noise: Dequantises, and estimates what is estimated; names the images.
        """
        return None
