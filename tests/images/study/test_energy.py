"""The energy is the error of the model's mean guess, estimated without bias."""

from dataclasses import dataclass

import torch
from torch import Tensor

from images.study.energy import descent
from images.study.model import Setting
from refine_core.noise import Noise

COUNT = 4000


@dataclass(frozen=True)
class Walk:
    """A Gaussian arm in closed form: x = sum of T parts, of which a state knows the first t.

    What is left is drawn with `spread` times the right deviation about a mean that is `bias` off.
    """

    steps: int
    spread: float = 1.0
    bias: float = 0.0

    def parts(self, noise: Noise) -> Tensor:
        return noise.normal(0, self.steps, 1, 2, 2)

    def resumed(
        self,
        images: Tensor,
        labels: Tensor,
        step: int,
        setting: Setting,
        forward: Noise,
        noise: Noise,
    ) -> Tensor:
        known, drawn = self.parts(Noise(7, forward.index)), self.parts(noise)
        left = self.bias * (self.steps - step) + self.spread * drawn[:, step:].sum(1)
        return known[:, :step].sum(1) + left


def measured(model: Walk) -> tuple[Tensor, Tensor]:
    noise = Noise.range(7, COUNT)
    images = model.parts(noise).sum(1)
    found = descent(model, images, torch.zeros(COUNT).long(), Setting(model.steps), noise)
    return found.error.mean(1), found.variance.mean(1)


def test_of_the_true_model_the_error_is_the_variance_that_is_left() -> None:
    error, variance = measured(Walk(3))
    left = torch.tensor([3.0, 2, 1, 0]).double()
    assert torch.allclose(error, left, atol=0.12)
    assert torch.allclose(variance, left, atol=0.12)


def test_errors_of_the_model_are_told_from_its_spread() -> None:
    error, variance = measured(Walk(3, spread=0.5, bias=0.4))
    left = torch.tensor([3.0, 2, 1, 0]).double()
    assert torch.allclose(error, left + 0.16 * left.square(), atol=0.2)
    assert torch.allclose(variance, left / 4, atol=0.05)


def test_decreases_have_their_standard_error() -> None:
    noise, model = Noise.range(7, COUNT), Walk(2)
    found = descent(model, model.parts(noise).sum(1), noise.index, Setting(2), noise)
    assert found.error.shape == (3, COUNT)
    assert torch.allclose(found.decrease, torch.ones(2).double(), atol=0.1)
    assert bool((found.standard_error < 0.05).all() and (found.standard_error > 0.005).all())
