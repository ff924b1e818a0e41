"""What is reached without training a predictor: the figures every result has to be read against.

All are errors on the test set, and those with noise use the same noise as the predictors.
"""

import torch
from torch import Tensor

from images.experiments.codes import kmeans
from images.experiments.denoisers import corrupt
from images.experiments.measures import high_band, high_band_gain, image_errors, psnr
from images.experiments.settings import Setup
from images.experiments.spec import Arrays
from images.experiments.trial import TEST_NOISE
from refine_core.quantizers.clustering import nearest

Floors = dict[str, float]

_CLUSTERED = 20_000  # images that pixel-space k-means looks at: more change its error little


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


def floors(arrays: Arrays, setup: Setup) -> Floors:
    """Errors without a predictor.

    Returns:
        `noisy`: of the input itself. `wiener`, `wiener_shifted`: of the best linear denoiser for
        each of the two noise levels. `zero_hf_psnr`: in dB, of an empty high band.
        `images_<n>`: of the nearest of n images, placed by k-means: about the least error of any
        decoder with n different outputs. `high_band_gain`: see `measures.high_band_gain`.
    """
    data = arrays.limited(setup)
    clean = data.test
    found = {
        "noisy": _error(corrupt(clean, setup.sigma, TEST_NOISE), clean),
        "zero_hf_psnr": float(psnr(high_band(clean, data.shape).square().mean())),
        "high_band_gain": high_band_gain(data.shape),
    }
    mean, covariance = data.train.mean(0), torch.cov(data.train.T)
    for name, sigma in (("wiener", setup.sigma), ("wiener_shifted", setup.shifted_sigma)):
        weight, bias = wiener(mean, covariance, sigma)
        noisy = corrupt(clean, sigma, TEST_NOISE)
        found[name] = _error(noisy @ weight + bias, clean)
    for count in (setup.codes, 2**setup.bits):
        centres = kmeans(data.train[:_CLUSTERED], count, seed=0, rounds=10)
        found[f"images_{count}"] = _error(centres[nearest(clean, centres)], clean)
    return found


def _error(found: Tensor, clean: Tensor) -> float:
    return float(image_errors(found, clean).mean())
