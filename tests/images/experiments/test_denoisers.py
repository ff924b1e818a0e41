"""Laws of the predictors of the paper's section 4."""

import pytest
import torch
from torch import Tensor, nn

from images.experiments.denoisers import Bands, Shape, add_noise, matched_width
from refine_core.noise import Noise
from tests.images.experiments.blobs import blobs


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 17, 20)])
@pytest.mark.parametrize("scales", [2, 3])
@pytest.mark.parametrize("width", [128, 512])
def test_bands_have_the_parameters_of_a_single_shot(shape: Shape, scales: int, width: int) -> None:
    def size(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    single = size(Bands(shape, 1, width, 0.2))
    several = size(Bands(shape, scales, matched_width(shape, scales, width), 0.2))
    assert abs(several / single - 1) < 0.01


def test_one_band_is_a_perceptron_on_pixels() -> None:
    module, noisy = Bands((1, 8, 8), 1, 5, 0.2), torch.rand(3, 64)
    assert torch.equal(module.denoise(noisy), module.stages[0](noisy))


def test_true_bands_add_up_to_the_image() -> None:
    class Known(nn.Module):
        def __init__(self, band: Tensor) -> None:
            super().__init__()
            self.band = band

        def forward(self, seen: Tensor) -> Tensor:
            return self.band

    module, clean = Bands((1, 8, 8), 3, 5, 0.2), blobs(4, 2)
    module.stages = nn.ModuleList(Known(band) for band in module.pyramid.laplacian(clean))
    assert torch.allclose(module.denoise(torch.rand(4, 64)), clean.flatten(1), atol=1e-6)


def test_no_gradient_passes_between_bands() -> None:
    module, clean = Bands((1, 8, 8), 2, 5, 0.2), blobs(4, 2).flatten(1)
    noisy = add_noise(clean, 0.2, 0)
    module.loss(clean, noisy).backward()
    levels = [module.pyramid.gaussian(x.view(-1, 1, 8, 8))[0].flatten(1) for x in (clean, noisy)]
    alone = nn.functional.mse_loss(module.stages[0](levels[1]), levels[0])
    weights = list(module.stages[0].parameters())
    for weight, gradient in zip(weights, torch.autograd.grad(alone, weights), strict=True):
        assert weight.grad is not None and torch.allclose(weight.grad, gradient, atol=1e-7)


def test_training_noise_follows_from_seed_and_step_only() -> None:
    module, clean = Bands((1, 8, 8), 1, 5, 0.2), torch.rand(4, 64)
    losses = [module((clean,), Noise(seed, torch.arange(4)))["loss"].item() for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
