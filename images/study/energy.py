"""Energy after each call: how well a model's own guess fits held-out images (paper, eq. 11).

Every arm has a forward process that takes an image x to the state s_t that its sampler has after
t calls: for a refiner the codes of t scales, for diffusion a noisy image. The energy is the error
of the model's mean guess of the image,

    E_t = E |x - m(s_t)|^2 / n,   m(s_t) = E[x' | s_t],   x' made of s_t by the remaining calls,

with x held out. It asks of an arm only that it samples from a given state, so that it is the same
quantity for refinement and for diffusion; a log-density of what is left would be exact for the one
and a bound for the other. Where the model is that of the data, E_t is the expected variance of x
given s_t, which no further call can raise: a rise, or an excess over the variance V_t of x', is an
error of the model. The decrease of eq. 11 is E_t - E_{t+1}.

With two independent guesses x', x'' of one state both are estimated without bias,

    E_t ~ (x - x') . (x - x'') / n,   V_t ~ |x' - x''|^2 / 2n,

whatever the model; single images' estimates may be negative.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from images.study.model import Setting
from refine_core.noise import Noise


class Resumable(Protocol):
    """An arm that samples from a state of its forward process."""

    def resumed(
        self,
        images: Tensor,
        labels: Tensor,
        step: int,
        setting: Setting,
        forward: Noise,
        noise: Noise,
    ) -> Tensor:
        """Images (b, 1, h, w) that the arm makes of the state of `images` after `step` calls.

        Args:
            images: (b, 1, h, w) of 256 grey levels, in [0, 1].
            labels: (b,) int64.
            step: 0, which is a sample of the arm, to all calls of the setting.
            setting: How to sample.
            forward: Noise of the forward process, which leads to the state.
            noise: Noise of the calls that are left.
        """
        ...


@dataclass(frozen=True)
class Descent:
    """Energy of each of b images after each of T calls, 0 of them first.

    Args:
        error: (T + 1, b) float64, of the mean guess, per pixel.
        variance: (T + 1, b) float64, of the model's guesses, per pixel.
    """

    error: Tensor
    variance: Tensor

    @property
    def decrease(self) -> Tensor:
        """Mean decrease (T,) of the error by each call: delta_t of eq. 11."""
        mean = self.error.mean(1)
        return mean[:-1] - mean[1:]

    @property
    def standard_error(self) -> Tensor:
        """Standard error (T,) of `decrease`, over images."""
        change = self.error[:-1] - self.error[1:]
        deviation: Tensor = change.std(1) / change.shape[1] ** 0.5
        return deviation


@torch.no_grad()
def descent(
    model: Resumable, images: Tensor, labels: Tensor, setting: Setting, noise: Noise
) -> Descent:
    """Energy of held-out images after each call of a setting.

    All calls' states of an image come from the same noise, so that differences between calls vary
    less than the energies do.

    Args:
        model: The arm.
        images: (b, 1, h, w) of 256 grey levels, in [0, 1].
        labels: (b,) int64.
        setting: How to sample.
        noise: Names the images.
    """
    error, variance = [], []
    for step in range(setting.calls + 1):
        first, second = (
            model.resumed(images, labels, step, setting, noise.fork(0), noise.fork(draw))
            .double()
            .flatten(1)
            for draw in (1, 2)
        )
        x = images.double().flatten(1)
        error.append(((x - first) * (x - second)).mean(1))
        variance.append((first - second).square().mean(1) / 2)
    return Descent(torch.stack(error), torch.stack(variance))
