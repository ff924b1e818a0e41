"""Maximum mean discrepancies against direct computations."""

from math import exp

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from graphs.metrics.plain.mmd import BANDWIDTH, describe, distance
from tests.graphs.metrics.graphs import random_graphs


@pytest.mark.parametrize("name", BANDWIDTH)
@pytest.mark.parametrize("kernel", ["tv", "emd"])
def test_mmd_equals_the_double_loop(name: str, kernel: str) -> None:
    x = describe(random_graphs(4, 10, 4), name)
    y = describe(random_graphs(5, 12, 5, 0.6), name)
    width = max(x.shape[1], y.shape[1])
    sigma = {"clustering": 0.1, "orbit": 30.0}.get(name, 1.0)

    def k(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        a, b = (np.pad(v, (0, width - len(v))) for v in (a, b))
        if kernel == "tv":
            d = abs(a - b).sum() / 2
        elif name == "orbit":
            d = np.linalg.norm(a - b)
        else:
            bins = np.arange(width) / (100 if name == "clustering" else 1)
            d = wasserstein_distance(bins, bins, a, b)
        return exp(-(d**2) / (2 * sigma**2))

    def mean(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
        return sum(k(a, b) for a in p for b in q) / (len(p) * len(q))

    expected = mean(x, x) + mean(y, y) - 2 * mean(x, y)
    found = distance(x, y, name, "tv" if kernel == "tv" else "emd")
    assert expected > 1e-4 and np.isclose(found, expected, rtol=1e-9)
    assert abs(distance(x, x, name)) < 1e-12


def test_mmd_of_many_graphs_is_that_of_its_parts() -> None:
    """Rows are compared some at a time; more than one portion must not change the mean."""
    rng = np.random.default_rng(6)
    x, y = rng.random((1100, 3)), rng.random((30, 3))
    twice = distance(np.concatenate([x, x]), y, "degree")
    assert np.isclose(distance(x, y, "degree"), twice, atol=1e-12)
