"""The energy is the error of what a model expects, estimated without bias, for every arm."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from images.study.absorbing_diffusion import AbsorbingDiffusion
from images.study.backbone import Backbone
from images.study.continuous_diffusion import ContinuousDiffusion
from images.study.flow_matching import FlowMatching
from images.study.gaussian_diffusion import GaussianDiffusion
from images.study.model import Setting
from images.study.protocol.energy import descent
from refine_core.noise import Noise
from tests.images.study.tiny import SHAPE, Letters, Normal, Numbers, Words

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

    def guess(
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
    found = descent(model.guess, images, torch.zeros(COUNT).long(), Setting(model.steps), noise)
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
    found = descent(model.guess, model.parts(noise).sum(1), noise.index, Setting(2), noise)
    assert found.error.shape == (3, COUNT)
    assert torch.allclose(found.decrease, torch.ones(2).double(), atol=0.1)
    assert bool((found.standard_error < 0.05).all() and (found.standard_error > 0.005).all())


def of_normal_data(arm: ContinuousDiffusion, setting: Setting) -> tuple[Tensor, Tensor]:
    """Measured error after each call of a denoiser that knows the data, and the true one."""
    arm.backbone = Normal(arm)  # type: ignore[assignment]
    noise = Noise.range(3, COUNT)
    images = Normal.centre + Normal.spread * noise.normal(0, 1, 2, 2)
    found = descent(arm.guess, images, torch.zeros(COUNT).long(), setting, Noise.range(0, COUNT))
    assert not bool(found.variance.any())
    times = torch.tensor([arm.call_time(call, setting) for call in range(setting.calls)])
    a, s = (scale.flatten() for scale in arm.scales(times))
    left = Normal.spread**2 * s**2 / (a**2 * Normal.spread**2 + s**2)
    return found.error.mean(1), torch.cat([left, torch.zeros(1)]).double()


@pytest.mark.parametrize("name", [*GaussianDiffusion.samplers, *FlowMatching.samplers])
def test_denoisers_have_the_variance_that_is_left(name: str) -> None:
    backbone = Backbone(SHAPE, (2, 2), 1, 1, 10)
    kind = GaussianDiffusion if name in GaussianDiffusion.samplers else FlowMatching
    error, left = of_normal_data(kind(Numbers(), backbone), Setting(5, name))
    assert torch.allclose(error, left, atol=0.012)
    assert left.tolist() == sorted(left.tolist(), reverse=True)
    assert abs(float(error[0]) - Normal.spread**2) < 0.015


def test_absorbing_diffusion_has_the_variance_that_is_left() -> None:
    words = Words()
    arm = AbsorbingDiffusion(Letters(), Backbone(SHAPE, (2, 2), 8, 3, 10), channels=8)
    arm.logits = words  # type: ignore[method-assign]
    images, labels = words.images(COUNT), torch.zeros(COUNT).long()
    found = descent(arm.guess, images, labels, Setting(4, "random"), Noise.range(1, COUNT))
    error, variance = found.error.mean(1), found.variance.mean(1)
    assert abs(float(error[0] - images.var(0).mean())) < 0.01
    assert torch.allclose(error, variance, atol=0.01)
    assert bool((found.decrease > 3 * found.standard_error).all()) and float(error[-1]) == 0
