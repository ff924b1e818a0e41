"""Energy after each call: how well a model's own guess fits held-out images (paper, eq. 11).

Every arm has a forward process that takes an image x to the state s_t that its sampler has after
t calls: for a refiner the codes of t scales, for diffusion a noisy image. The energy is the error
of what the model expects of the image,

    E_t = E |x - m(s_t)|^2 / n,   m(s_t) = E[x' | s_t],

with x held out. It asks of an arm only what it makes of a state, so that it is one quantity for
refinement and diffusion; the log-density of what a state lacks would be exact for the one and a
bound for the other. Where the model is that of the data, E_t is the variance of x given s_t,
which no further call can raise: a rise is an error of the model. The decrease of eq. 11 is
E_t - E_{t+1}.

A denoiser says m(s_t) in one call. A refiner draws x' of it by the calls that are left. With two
independent guesses x', x'' of one state both are estimated without bias,

    E_t ~ (x - x') . (x - x'') / n,   V_t ~ |x' - x''|^2 / 2n,

V_t the variance of the model's guesses, which is E_t where the model is that of the data. (Single
images' estimates may be negative.)
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from images.study.model import Setting
from refine_core.noise import Noise

Guess = Callable[[Tensor, Tensor, int, Setting, Noise, Noise], Tensor]


@dataclass(frozen=True)
class Descent:
    """Energy of each of b images after each of T calls, 0 of them first.

    Args:
        error: (T + 1, b) float64, per pixel.
        variance: (T + 1, b) float64, of the model's guesses, per pixel; 0 where it draws none.
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
    guess: Guess, images: Tensor, labels: Tensor, setting: Setting, noise: Noise
) -> Descent:
    """Energy of held-out images after each call of a setting.

    All calls' states of an image come from the same noise, so that differences between calls vary
    less than the energies do.

    Args:
        guess: That of an arm, see `images.study.model.StudyModel`.
        images: (b, 1, h, w) of 256 grey levels, in [0, 1].
        labels: (b,) int64.
        setting: How to sample.
        noise: Names the images.
    """
    error, variance = [], []
    for step in range(setting.calls + 1):
        first, second = (
            guess(images, labels, step, setting, noise.fork(0), noise.fork(draw))
            .double()
            .flatten(1)
            for draw in (1, 2)
        )
        x = images.double().flatten(1)
        error.append(((x - first) * (x - second)).mean(1))
        variance.append((first - second).square().mean(1) / 2)
    return Descent(torch.stack(error), torch.stack(variance))
