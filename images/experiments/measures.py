"""Errors of reconstructions, and what can be read off a training history."""

import math
from collections.abc import Sequence
from statistics import fmean, pvariance

import torch
from torch import Tensor

from images.experiments.denoisers import Shape
from refine_core.pyramid import gaussian, halvings


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
    """R_0 = x - up(down(x)), (n, c, h, w), of flat images: what half the size cannot hold."""
    pyramid = gaussian(halvings(shape[1:], 2))
    return pyramid.laplacian(flat.view(-1, *shape))[1]


def high_band_gain(shape: Shape) -> float:
    """Largest factor by which taking the high band can increase a squared error."""
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
