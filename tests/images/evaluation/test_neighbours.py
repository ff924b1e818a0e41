"""Neighbourhoods and memorisation against brute force and known cases."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu
from torch import Tensor

from images.evaluation import neighbours
from images.evaluation.neighbours import memorisation, nearest, neighbourhoods
from tests.images.evaluation.test_metrics import normal


def images(seed: int, n: int) -> Tensor:
    return torch.rand(n, 1, 6, 5, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks, the last of them incomplete, in every test."""
    monkeypatch.setattr(neighbours, "CHUNK", 64)


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
