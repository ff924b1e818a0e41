"""Laws of errors, error floors and training histories."""

import math
from statistics import fmean, pstdev, pvariance

import torch
from torch import Tensor

from images.experiments.denoisers import add_noise
from images.experiments.metrics import (
    first_below,
    gradient_spread,
    high_band,
    high_band_gain,
    image_errors,
    psnr,
    wiener,
)


def test_wiener_is_the_best_linear_denoiser_of_gaussian_data() -> None:
    mix, mean, sigma = torch.randn(6, 6), torch.randn(6), 0.7
    clean = torch.randn(100_000, 6) @ mix.T + mean
    noisy = add_noise(clean, sigma, 3)
    weight, bias = wiener(mean, mix @ mix.T, sigma)

    def error(weight: Tensor, bias: Tensor) -> float:
        return float(image_errors(noisy @ weight + bias, clean).mean())

    assert math.isclose(error(weight, bias), sigma**2 * weight.trace() / 6, rel_tol=0.02)
    assert error(weight, bias) < 0.9 * image_errors(noisy, clean).mean()
    for _ in range(5):
        assert error(weight + 0.05 * torch.randn(6, 6), bias) > error(weight, bias)
    assert error(weight, bias + 0.1) > error(weight, bias)


def test_the_high_band_cannot_hold_more_than_its_gain() -> None:
    shape = (1, 8, 8)
    errors, gain = torch.randn(50, 64), high_band_gain(shape)
    shares = high_band(errors, shape).flatten(1).square().sum(1) / errors.square().sum(1)
    assert float(shares.max()) <= gain <= 1.5
    for _ in range(200):  # power iteration towards the worst error
        errors = torch.autograd.functional.vjp(
            lambda e: high_band(e, shape).flatten(1), errors, high_band(errors, shape).flatten(1)
        )[1]
        errors = errors / errors.norm(dim=1, keepdim=True)
    reached = high_band(errors, shape).flatten(1).square().sum(1).max()
    assert math.isclose(float(reached), gain, rel_tol=1e-3)
    assert high_band(torch.ones(1, 64), shape).abs().max() < 1e-6


def test_psnr_is_inverted_by_its_definition_and_gains_by_averaging_images() -> None:
    errors = torch.rand(50) + 0.01
    assert torch.allclose(10 ** (-psnr(errors) / 10), errors)
    assert psnr(errors).mean() > psnr(errors.mean())
    assert math.isclose(float(psnr(errors / 10).mean() - psnr(errors).mean()), 10, abs_tol=1e-4)


def test_gradient_spread_is_that_of_all_steps() -> None:
    epochs = [torch.rand(20).tolist(), (5 + torch.rand(20)).tolist()]
    history = [{"grad_norm_mean": fmean(e), "grad_norm_var": pvariance(e)} for e in epochs]
    steps = [norm for epoch in epochs for norm in epoch]
    variance, variation = gradient_spread(history)
    assert math.isclose(variance, pvariance(steps), rel_tol=1e-9)
    assert math.isclose(variation, pstdev(steps) / fmean(steps), rel_tol=1e-9)
    scaled = [
        {"grad_norm_mean": 3 * r["grad_norm_mean"], "grad_norm_var": 9 * r["grad_norm_var"]}
        for r in history
    ]
    assert math.isclose(gradient_spread(scaled)[1], variation, rel_tol=1e-9)


def test_target_is_first_met_where_the_error_was_taken() -> None:
    history: list[dict[str, float]] = [
        {"epoch": 1, "mse": 0.5},
        {"epoch": 2},
        {"epoch": 3, "mse": 0.2},
        {"epoch": 4, "mse": 0.1},
    ]
    assert first_below(history, 0.2, "epoch") == 3
    assert first_below(history, 0.09, "epoch") is None
