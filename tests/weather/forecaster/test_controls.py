"""Laws of the heads that refinement is compared with."""

from importlib import util

import numpy as np
import pytest
import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.noise import Noise
from tests.weather import tiny
from weather.fields.grid import Grid
from weather.forecaster.config import HeadConfig
from weather.forecaster.controls import BankHead, CRPSHead, DiffusionHead, GaussianHead
from weather.forecaster.inputs import HeadContext

GRID = Grid(np.array([-67.5, -22.5, 22.5, 67.5]), np.arange(0.0, 360.0, 45.0))


def context(count: int) -> HeadContext:
    return HeadContext(torch.zeros(count, 1, 4, 8), torch.zeros(0), torch.zeros(0))


def test_the_bank_draws_each_error_as_often_as_others() -> None:
    errors = torch.arange(6.0)[:, None, None, None].expand(6, 2, 4, 8)
    head = BankHead(GRID, 2, size=12)
    head.estimate(errors)
    sampled = head.sample(context(6000), Noise.range(0, 6000))
    assert torch.equal(sampled, sampled[:, :1, :1, :1].expand_as(sampled))
    share = torch.bincount(sampled[:, 0, 0, 0].long(), minlength=6) / 6000
    assert bool(((share - 1 / 6).abs() < 0.02).all())


def test_gaussian_noise_has_the_covariance_of_errors_by_zonal_wave() -> None:
    torch.manual_seed(0)
    mix = torch.randn(5, 8, 8, dtype=torch.complex64)  # five waves of two channels at four rows
    waves = torch.einsum("nmk,mkj->njm", torch.randn(8000, 5, 8, dtype=torch.complex64), mix)
    errors = torch.fft.irfft(waves.unflatten(1, (2, 4)), n=8)
    head = GaussianHead(GRID, 2, rank=7)
    head.estimate(errors)
    sampled = head.sample(context(16000), Noise.range(0, 16000))
    variance = errors.square().mean((0, 3))
    torch.testing.assert_close(sampled.square().mean((0, 3)), variance, rtol=0.05, atol=0.0)
    expected, found = (torch.cov(maps.flatten(1).T) for maps in (errors, sampled))
    assert (expected - found).norm() / expected.norm() < 0.1
    alone = torch.diag(expected.diagonal())
    assert (expected - alone).norm() / expected.norm() > 0.5  # there is something to be found


@pytest.mark.parametrize("width", [7, 8])
def test_gaussian_noise_has_the_power_of_errors_in_every_wave(width: int) -> None:
    grid = Grid(GRID.latitude, np.arange(width) * 360 / width)
    errors = torch.randn(4000, 2, 4, width, generator=torch.Generator().manual_seed(0))
    head = GaussianHead(grid, 2, rank=2)
    head.estimate(errors)
    none = HeadContext(torch.zeros(4000, 1, 4, width), torch.zeros(0), torch.zeros(0))
    sampled = head.sample(none, Noise.range(0, 4000))
    ratio = torch.fft.rfft(sampled).abs().square().mean((0, 1, 2)) / torch.fft.rfft(
        errors
    ).abs().square().mean((0, 1, 2))
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0.05, atol=0.0)


def test_diffusion_samples_what_a_perfect_denoiser_knows() -> None:
    head = DiffusionHead(GRID, 1, 1, HeadConfig(network=tiny.NETWORK, levels=20))

    def denoise(noisy: Tensor, sigma: Tensor, context: HeadContext) -> Tensor:
        return 2 + (noisy - 2) * 0.25 / (0.25 + sigma[:, None, None, None] ** 2)

    head.denoise = denoise  # type: ignore[method-assign]
    sampled = head.sample(context(500), Noise.range(0, 500))
    assert abs(sampled.mean() - 2) < 0.02
    assert abs(sampled.std() - 0.5) < 0.03


def test_a_missing_library_is_named_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weather.forecaster.controls.find_spec", lambda name: None)
    assert util.find_spec("diffusers")
    with pytest.raises(InputError, match="the library diffusers, which is not installed"):
        DiffusionHead(GRID, 1, 1, HeadConfig(network=tiny.NETWORK, levels=20))


def test_almost_fair_crps_is_least_for_the_right_spread() -> None:
    """Samples from N(0, s) against truths from N(0, 1): the loss is least near s = 1."""
    head = CRPSHead(GRID, 1, 1, HeadConfig(network=tiny.NETWORK))
    noise, losses = Noise.range(0, 2000), {}
    truth = torch.randn(2000, 1, 4, 8, generator=torch.Generator().manual_seed(0))
    for spread in (0.5, 1.0, 2.0):

        def sample(context: HeadContext, noise: Noise, spread: float = spread) -> Tensor:
            return spread * noise.normal(0, 1, 4, 8)

        head.sample = sample  # type: ignore[method-assign]
        losses[spread] = float(head(truth, context(2000), noise)["loss"])
    assert losses[1.0] < min(losses[0.5], losses[2.0])
