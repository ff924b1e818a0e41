"""Resampling of starts."""

import numpy as np
import pytest

from tests.weather.forecasts import starts
from weather.verification.bootstrap import block_length, interval, means, resamples


@pytest.mark.parametrize(("step", "length"), [(1, 5), (2, 3), (5, 1), (9, 1)])
def test_blocks_span_five_days(step: int, length: int) -> None:
    assert block_length(starts(20, step=step)) == length


def test_a_block_is_at_most_half_of_the_starts() -> None:
    assert block_length(starts(4, step=1)) == 2
    assert block_length(starts(1)) == 1


def test_resamples_are_made_of_blocks() -> None:
    counts = resamples(12, 4, seed=0, number=500)
    np.testing.assert_array_equal(counts[0], 1)
    np.testing.assert_array_equal(counts.sum(1), 12)
    changes = (counts != np.roll(counts, 1, 1)).sum(1)
    assert changes.max() <= 6  # three blocks have six ends
    assert counts[1:].mean(0) == pytest.approx(1, abs=0.15)
    np.testing.assert_array_equal(counts, resamples(12, 4, seed=0, number=500))


def test_means_leave_out_what_is_not_there() -> None:
    values = np.array([[1.0, 2.0], [3.0, 77.0], [5.0, 4.0]])[..., None]
    there = np.array([[True, True], [True, False], [True, True]])
    counts = np.array([[1.0, 1, 1], [0, 3, 0], [2, 1, 0]])
    found = means(counts, values, there)[..., 0]
    np.testing.assert_allclose(found[:, 0], [3, 3, 5 / 3])
    np.testing.assert_allclose(found[:, 1], [3, 3, 2])  # the second has none: the first's


@pytest.mark.parametrize("lasting", [0.0, 0.8])
def test_intervals_hold_the_mean_as_often_as_they_say(lasting: float) -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(60, 400, 1))
    for i in range(1, 60):
        noise[i] = lasting * noise[i - 1] + np.sqrt(1 - lasting**2) * noise[i]
    everywhere = np.ones((60, 400), bool)

    def coverage(block: int) -> float:
        low, high = interval(means(resamples(60, block, 1), noise, everywhere))
        return float(((low < 0) & (high > 0)).mean())

    if lasting:
        assert coverage(12) > 0.68 > coverage(1) + 0.1  # blocks see that errors last
    else:
        assert coverage(1) == pytest.approx(0.94, abs=0.03)
