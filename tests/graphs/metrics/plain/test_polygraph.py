"""The PolyGraph discrepancy where the answer is known."""

import numpy as np
import pytest

from graphs.metrics.plain.polygraph import discrepancy
from refine_core.errors import InputError


def normal(count: int, shift: float, seed: int, width: int = 2) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(count, width))
    values[:, 0] += shift
    return values


def test_the_same_law_is_near_zero_and_far_ones_are_near_one() -> None:
    found = discrepancy({"a": (normal(2000, 0, 1), normal(2000, 0, 2))})
    assert found["pgd"] == found["pgd_a"] < 0.1
    assert discrepancy({"a": (normal(200, 0, 1), normal(200, 12, 2))})["pgd"] > 0.98


def test_it_bounds_the_distance_of_two_normal_laws() -> None:
    # Jensen-Shannon distance of N(0, 1) and N(2, 1), by quadrature.
    x = np.linspace(-10, 12, 100_001)
    p, q = (np.exp(-((x - m) ** 2) / 2) / np.sqrt(2 * np.pi) for m in (0, 2))
    mixed = (p + q) / 2
    divergence = np.trapezoid(p * np.log2(p / mixed) + q * np.log2(q / mixed), x) / 2
    found = discrepancy({"a": (normal(4000, 0, 3), normal(4000, 2, 4))})["pgd"]
    # Logistic regression is the right classifier here, so the bound is tight but for sampling.
    assert found == pytest.approx(np.sqrt(divergence), abs=0.02)


def test_the_descriptor_that_separates_best_decides() -> None:
    found = discrepancy(
        {
            "same": (normal(200, 0, 1), normal(200, 0, 2)),
            "wider": (normal(200, 0, 3), normal(200, 3, 4, width=5)),
        }
    )
    assert found["pgd"] == found["pgd_wider"] > found["pgd_same"]


def test_constant_descriptors_tell_nothing_apart() -> None:
    assert discrepancy({"a": (np.ones((20, 3)), np.ones((20, 3)))})["pgd"] < 1e-3


def test_too_few_graphs_are_refused() -> None:
    with pytest.raises(InputError, match="Found 7 graphs on a side, expected 8"):
        discrepancy({"a": (normal(7, 0, 1), normal(20, 0, 2))})
