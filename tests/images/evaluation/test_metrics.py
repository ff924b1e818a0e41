import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from images.evaluation.metrics import class_accuracy, diversity, frechet, mse, psnr
from refine_core.errors import InputError


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- reconstructions -----------------------------------------------------------------------------


def test_mse_and_psnr_of_known_errors() -> None:
    a = torch.zeros(2, 1, 2, 2)
    b = torch.stack([torch.full((1, 2, 2), 0.1), torch.full((1, 2, 2), 0.01)])
    assert mse(a, b) == pytest.approx((0.01 + 0.0001) / 2, rel=1e-6)
    assert psnr(a, b) == pytest.approx((20 + 40) / 2, rel=1e-6)
    assert psnr(a, b) >= -10 * math.log10(mse(a, b))
    assert psnr(a, a) == math.inf and mse(a, a) == 0


# --- Frechet distance ----------------------------------------------------------------------------


def with_moments(mean: Tensor, covariance: Tensor, n: int = 400) -> Tensor:
    """Features whose mean and covariance are exactly the given ones."""
    x = normal(0, n, len(mean)).double()
    x = x - x.mean(0)
    white = torch.linalg.cholesky(torch.linalg.inv(x.T.cov()))
    moved: Tensor = x @ white @ torch.linalg.cholesky(covariance.double()).T + mean
    return moved


def test_frechet_of_gaussians_with_diagonal_covariance() -> None:
    means = torch.tensor([0.5, -1, 2]), torch.tensor([0.0, 1, 2.5])
    deviations = torch.tensor([1.0, 2, 0.1]), torch.tensor([3.0, 0.5, 0.1])
    a, b = (with_moments(m, s.square().diag()) for m, s in zip(means, deviations, strict=True))
    expected = sum(float((u - v).square().sum()) for u, v in (means, deviations))
    assert frechet(a, b) == pytest.approx(expected, rel=1e-5)
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-12)


def test_frechet_agrees_with_the_matrix_root() -> None:
    a = normal(1, 300, 8) @ normal(2, 8, 8) + 1
    b = normal(3, 200, 8) @ normal(4, 8, 8)
    sa, sb = np.cov(a.double().T), np.cov(b.double().T)
    root = np.real(sqrtm(sa @ sb))
    gap = (a.double().mean(0) - b.double().mean(0)).square().sum()
    expected = float(gap) + np.trace(sa + sb - 2 * root)
    assert frechet(a, b) == pytest.approx(expected, rel=1e-9)


def test_frechet_with_fewer_samples_than_dimensions() -> None:
    low = normal(5, 40, 4)
    turn = torch.linalg.qr(normal(6, 64, 4).double()).Q
    a, b = low[:10].double(), low[10:].double() * 2
    assert frechet(a @ turn.T, b @ turn.T) == pytest.approx(frechet(a, b), rel=1e-9)
    assert frechet(a @ turn.T, a @ turn.T) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    "broken", [torch.zeros(1, 3), torch.zeros(5), torch.full((4, 3), math.nan)]
)
def test_frechet_refuses_what_has_no_moments(broken: Tensor) -> None:
    with pytest.raises(InputError, match="found features"):
        frechet(broken, torch.zeros(4, 3))


# --- classes -------------------------------------------------------------------------------------


def test_class_accuracy() -> None:
    logits = torch.tensor([[0.0, 1, 2], [3, 1, 2], [0, 5, 2], [0, 1, 9]])
    assert class_accuracy(logits, torch.tensor([2, 0, 0, 1])) == 0.5


def test_diversity_is_the_ratio_of_within_class_variances() -> None:
    labels = torch.arange(600) % 4
    centres = normal(13, 4, 5) * 10
    noise = normal(14, 600, 5)
    real = centres[labels] + noise
    scale = torch.tensor([1.0, 0.5, 0.0, 2.0])
    samples = -centres[labels] + noise * scale[labels, None]  # centres do not matter
    found = diversity(samples, labels, real, labels)
    assert found.tolist() == pytest.approx(scale.square().tolist(), rel=1e-4, abs=1e-9)
    missing = diversity(samples[labels != 1], labels[labels != 1], real, labels)
    assert missing[1] == 0 and missing[3] == found[3]
