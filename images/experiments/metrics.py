"""Errors of reconstructions, and the error floors: what is reached without training a predictor.

All floors are errors on the test set; those with noise use the same noise as the predictors.
"""

import math
from collections.abc import Sequence
from statistics import fmean, pvariance

import torch
from torch import Tensor

from images.experiments.config import Setup
from images.experiments.denoisers import TEST_NOISE, FlatImages, Shape, add_noise
from images.experiments.heads import kmeans
from refine_core.pyramid import gaussian, halvings
from refine_core.quantizers.clustering import nearest

Floors = dict[str, float]
"""Error floors by name, see `error_floors`."""

_CLUSTERED = 20_000  # images in pixel-space k-means: more change its error little


def image_errors(found: Tensor, clean: Tensor) -> Tensor:
    """Mean squared error (n,) of each of the flat images (n, pixels)."""
    return (found - clean).square().mean(1)


def psnr(mse: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB for a peak of 1.

    >>> round(float(psnr(torch.tensor(0.0195))), 1)
    17.1
    """
    return -10 * torch.log10(mse)


def high_band(flat: Tensor, shape: Shape) -> Tensor:
    """Finest Laplacian band x - up(down(x)), (n, c, h, w), of flat images (n, c * h * w)."""
    pyramid = gaussian(halvings(shape[1:], 2))
    return pyramid.laplacian(flat.view(-1, *shape))[1]


def high_band_gain(shape: Shape) -> float:
    """Largest factor by which `high_band` can increase a squared error."""
    height, width = shape[1:]
    basis = torch.eye(height * width)
    matrix = high_band(basis, (1, height, width)).flatten(1)
    return float(torch.linalg.matrix_norm(matrix, ord=2)) ** 2


def first_below(history: Sequence[dict[str, float]], target: float, column: str) -> float | None:
    """Value of `column` in the first row whose test error is at most `target`; None if never.

    >>> history = [{"epoch": 1, "mse": 0.3}, {"epoch": 2}, {"epoch": 3, "mse": 0.1}]
    >>> first_below(history, 0.2, "epoch")
    3
    >>> first_below(history, 0.05, "epoch")
    """
    return next((row[column] for row in history if row.get("mse", math.inf) <= target), None)


def gradient_spread(history: Sequence[dict[str, float]]) -> tuple[float, float]:
    """Variance and coefficient of variation of the gradient norm over all steps of some epochs.

    The variance is in squared units of the loss per unit of a parameter, so it changes with the
    scale of the loss and of the latent space; the coefficient of variation does not.
    """
    means = [row["grad_norm_mean"] for row in history]
    # Epochs have as many steps each, so variances add up: within epochs and between their means.
    variance = fmean(row["grad_norm_var"] for row in history) + pvariance(means)
    return variance, math.sqrt(variance) / fmean(means)


def error_floors(images: FlatImages, setup: Setup) -> Floors:
    """Errors that need no trained predictor.

    Returns:
        `noisy`: of the input itself. `wiener`, `wiener_shifted`: of the best linear denoiser for
        each of the two noise levels. `zero_hf_psnr`: in dB, of an empty high band.
        `images_<n>`: of the nearest of n images, placed by k-means: about the least error of any
        decoder with n different outputs. `high_band_gain`: see `high_band_gain`.
    """
    data = images.limited(setup)
    clean = data.test
    floors = {
        "noisy": _error(add_noise(clean, setup.sigma, TEST_NOISE), clean),
        "zero_hf_psnr": float(psnr(high_band(clean, data.shape).square().mean())),
        "high_band_gain": high_band_gain(data.shape),
    }
    mean, covariance = data.train.mean(0), torch.cov(data.train.T)
    for name, sigma in (("wiener", setup.sigma), ("wiener_shifted", setup.shifted_sigma)):
        weight, bias = wiener(mean, covariance, sigma)
        noisy = add_noise(clean, sigma, TEST_NOISE)
        floors[name] = _error(noisy @ weight + bias, clean)
    for count in (setup.codes, 2**setup.bits):
        centres = kmeans(data.train[:_CLUSTERED], count, seed=0, rounds=10)
        floors[f"images_{count}"] = _error(centres[nearest(clean, centres)], clean)
    return floors


def wiener(mean: Tensor, covariance: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """The best linear denoiser of data with given moments under white noise.

    x^ = m + C (C + sigma^2 I)^-1 (x~ - m), whose mean squared error is sigma^2 / n times the trace
    of the weight.

    Args:
        mean: m, (n,).
        covariance: C, (n, n).
        sigma: Standard deviation of the noise.

    Returns:
        Weight (n, n), symmetric, and bias (n,), for `noisy @ weight + bias`.
    """
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=0)
    weight = (vectors * (values / (values + sigma**2))) @ vectors.T
    return weight, mean - mean @ weight


def _error(found: Tensor, clean: Tensor) -> float:
    return float(image_errors(found, clean).mean())
