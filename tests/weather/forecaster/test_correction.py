"""Laws of the corrections of a step."""

import numpy as np
import pytest
import torch

from weather.fields.grid import Grid
from weather.forecaster.correction import (
    Correction,
    drizzle,
    from_waves,
    local_ratio,
    log_power_ratio,
    slopes,
    smooth,
    zonal_waves,
)

GRID = Grid(np.array([-67.5, -22.5, 22.5, 67.5]), np.arange(0.0, 360.0, 45.0))


def test_unfitted_it_changes_nothing() -> None:
    correction = Correction(GRID, [False, True])
    x, before = torch.randn(3, 2, 4, 8), zonal_waves(torch.randn(3, 2, 4, 8))
    assert torch.allclose(correction.residual(x, before)[0], x, atol=1e-6)
    assert torch.equal(correction.mean(x), x)
    assert correction.at_poles(x) is x


def test_memory_correlates_steps_and_keeps_the_power() -> None:
    correction = Correction(GRID, [False])
    correction.memory.fill_(0.6)
    first, before = correction.residual(torch.randn(20_000, 1, 4, 8), None)
    second, _ = correction.residual(torch.randn(20_000, 1, 4, 8), before)
    assert float(second.var()) == pytest.approx(1, abs=0.02)
    assert float((first * second).mean()) == pytest.approx(0.6, abs=0.02)


def test_waves_of_the_mean_shrink_towards_the_average_state() -> None:
    correction = Correction(GRID, [False])
    correction.centre.copy_(torch.randn(1, 4, 8))
    correction.slope[..., 2:] = 0.5
    wave = torch.cos(torch.arange(8) * torch.pi / 2).expand(1, 4, 8)  # wavenumber 2
    slow = torch.cos(torch.arange(8) * torch.pi / 4).expand(1, 4, 8)
    made = correction.mean((correction.centre + wave + slow)[None])[0]
    assert torch.allclose(made, correction.centre + wave / 2 + slow, atol=1e-6)


def test_slopes_are_of_the_regression() -> None:
    known = torch.tensor([3.0, 1.0, 1.0]) * torch.randn(50_000, 2, 3)
    truth = torch.tensor([0.2, 0.9, 1.7]) * known + torch.randn(50_000, 2, 3)
    found = slopes((truth * known).sum(0), known.square().sum(0))
    expected = [(0.2 * 27 + 0.9) / 28, (0.2 * 9 + 2 * 0.9 + 1.7) / 12, 1]
    assert torch.allclose(found[0], torch.tensor(expected), atol=0.02)


def test_without_drizzle_as_many_values_are_zero() -> None:
    truth = (torch.randn(500, 2, 3, 8) - torch.tensor([0.5, -0.5, -9.0])[:, None]).clamp_min(0)
    made, least = truth + 0.2 * torch.randn(500, 2, 3, 8) + 0.1, torch.zeros(2, 1, 1)
    least[1] = -torch.inf
    taken = drizzle(made, truth, least)
    assert (taken[0, :2] > 0.05).all() and (taken[0, 2] == 0) and (taken[1] == 0).all()
    dry = ((made - taken)[:, 0] <= 0).double().mean((0, 2))
    assert torch.allclose(dry, (truth[:, 0] == 0).double().mean((0, 2)), atol=2e-3)


def test_the_first_step_has_a_gain_of_its_own() -> None:
    correction = Correction(GRID, [False])
    correction.first.fill_(0.5)
    x = torch.randn(3, 1, 4, 8)
    first, before = correction.residual(x, None)
    assert torch.allclose(first, x / 2, atol=1e-6)
    assert torch.allclose(correction.residual(x, before)[0], x, atol=1e-6)


def test_a_pole_is_one_place() -> None:
    """Scalars have one value there, a wind blows from one side to the other."""
    grid = Grid(np.array([-90.0, -30.0, 30.0, 90.0]), np.arange(0.0, 360.0, 45.0))
    correction = Correction(grid, [False, True])
    x = torch.randn(3, 2, 4, 8)
    made = correction.at_poles(x)
    assert torch.allclose(made[:, :, 1:3], x[:, :, 1:3], atol=1e-6)
    poles = made[:, :, [0, 3]]
    assert torch.allclose(poles[:, 0], x[:, 0, [0, 3]].mean(-1, keepdim=True).expand(3, 2, 8))
    assert torch.allclose(poles[:, 1, :, :4], -poles[:, 1, :, 4:], atol=1e-6)
    assert poles[:, 1].std(-1).min() > 0.01


def test_smoothing_keeps_a_constant() -> None:
    assert torch.allclose(smooth(torch.ones(2, 4, 33)), torch.ones(2, 4, 33))
    assert from_waves(zonal_waves(torch.eye(5)), 5).allclose(torch.eye(5), atol=1e-6)


def test_the_excess_over_a_steep_spectrum_is_found_at_every_wave() -> None:
    """Ratios of powers over a band would be those of its lowest wave, in steps."""
    wave = torch.arange(33.0).add(1)
    found = log_power_ratio(wave.pow(-4).expand(1, 4, 33), wave.pow(-6).expand(1, 4, 33)).exp()
    assert torch.allclose(found[0, 0, :-8], wave[:-8] ** 2, rtol=0.1)


def test_the_local_ratio_is_that_of_sizes_along_a_latitude() -> None:
    east = torch.linspace(0, 2 * torch.pi, 65)[:-1]
    size = (0.8 * east.cos()).exp().expand(1, 6, 64)
    rows = torch.rand(6, 1) + 0.5  # the size of a latitude is not its business
    found = local_ratio((rows * size).square(), torch.ones(1, 6, 64))
    expected = size / size.square().mean(-1, keepdim=True).sqrt()
    torch.testing.assert_close(found, expected, rtol=0.01, atol=0)
    assert torch.equal(local_ratio(size, size), torch.ones(1, 6, 64))
    nothing = local_ratio(torch.zeros(1, 6, 64), torch.zeros(1, 6, 64))
    assert torch.equal(nothing, torch.ones(1, 6, 64))
