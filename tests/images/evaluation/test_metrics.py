import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu
from torch import Tensor

from images.evaluation import neighbours
from images.evaluation.metrics import class_accuracy, diversity, frechet, mse, psnr
from images.evaluation.neighbours import memorisation, nearest, neighbourhoods
from refine_core.errors import InputError


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def images(seed: int, n: int) -> Tensor:
    return torch.rand(n, 1, 6, 5, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks, the last of them incomplete, in every test."""
    monkeypatch.setattr(neighbours, "CHUNK", 64)


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


# --- neighbourhoods ------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 5])
def test_neighbourhoods_by_brute_force(k: int) -> None:
    real, samples = normal(7, 160, 3), normal(8, 145, 3) * 0.7 + 0.4
    cross = cdist(real, samples)
    real_radii = np.sort(cdist(real, real))[:, k]
    sample_radii = np.sort(cdist(samples, samples))[:, k]
    found = neighbourhoods(real, samples, k)
    in_real = cross < real_radii[:, None]
    assert found.precision == pytest.approx(in_real.any(0).mean())
    assert found.recall == pytest.approx((cross < sample_radii).any(1).mean())
    assert found.density == pytest.approx(in_real.sum() / (k * len(samples)))
    assert found.coverage == pytest.approx((cross.min(1) < real_radii).mean())


def test_neighbourhoods_of_equal_and_of_collapsed_distributions() -> None:
    real = normal(9, 600, 4)
    same = neighbourhoods(real, normal(10, 600, 4))
    assert same.density == pytest.approx(1, abs=0.05)
    assert same.coverage == pytest.approx(1 - 2**-5, abs=0.02)
    collapsed = neighbourhoods(real, normal(11, 600, 4) * 0.05)
    assert collapsed.precision > 0.99 and collapsed.recall < 0.05 and collapsed.coverage < 0.1
    astray = neighbourhoods(real, normal(12, 600, 4) + 50)
    assert (astray.precision, astray.recall, astray.density, astray.coverage) == (0, 0, 0, 0)


# --- memorisation --------------------------------------------------------------------------------


def test_nearest_by_brute_force() -> None:
    queries, references = images(0, 130), images(1, 100)
    distance, index = nearest(queries, references)
    every = cdist(queries.flatten(1), references.flatten(1))
    assert np.array_equal(index, every.argmin(1))
    assert distance.numpy() == pytest.approx(every.min(1), rel=1e-5)
    distance, index = nearest(references[40:60], references)
    assert distance.tolist() == [0] * 20 and index.tolist() == list(range(40, 60))


def test_unseen_images_are_not_called_copies() -> None:
    train, test, samples = images(2, 500), images(3, 400), images(4, 400)
    found = memorisation(samples, train, test)
    assert found.copies == 0 and found.close < 0.05
    assert found.closer == pytest.approx(0.5, abs=0.06)
    assert found.median == pytest.approx(1, abs=0.05)
    ours, theirs = (nearest(x, train)[0].numpy() for x in (samples, test))
    u = mannwhitneyu(theirs, ours).statistic / (len(ours) * len(theirs))
    assert found.closer == pytest.approx(u, abs=1e-9)


def test_copies_are_found() -> None:
    train, test = images(5, 500), images(6, 400)
    samples = images(7, 100)
    samples[:30] = (train[200:230] * 255).round() / 255  # the same bytes, not the same floats
    samples[30:50] = (train[:20] + 0.03 * (images(8, 20) - 0.5)).clamp(0, 1)  # nearly so
    found = memorisation(samples, train, test)
    assert found.copies == 0.3
    assert 0.5 <= found.close < 0.55
    assert found.nearest[:50].tolist() == [*range(200, 230), *range(20)]
    every = memorisation(train, train, test)
    assert (every.copies, every.close, every.closer, every.median) == (1, 1, 1, 0)


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
