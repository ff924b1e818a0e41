"""CRPS, spread and skill: against other libraries, closed forms and their laws."""

import numpy as np
import pytest
import scoringrules
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from scores.probability import crps_for_ensemble

from weather.fields.grid import Grid
from weather.fields.regions import region_weights, regional_mean
from weather.metrics import ensemble
from weather.metrics.ensemble import crps
from weather.metrics.sorting import BLOCK, quantile


def draws(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape)


@pytest.mark.parametrize("members", [2, 5, 50])
def test_crps_agrees_with_scoringrules_and_scores(members: int) -> None:
    x, y = 3 + draws(members, 4, BLOCK), draws(4, BLOCK)
    x[1] = x[0]  # ties
    data, truth = xr.DataArray(x, dims=("m", "a", "b")), xr.DataArray(y, dims=("a", "b"))
    for fair, theirs, method in ((False, "nrg", "ecdf"), (True, "fair", "fair")):
        ours = crps(x, y, fair=fair)
        expected = scoringrules.crps_ensemble(y, x, m_axis=0, estimator=theirs)
        np.testing.assert_allclose(ours, expected, atol=1e-6)
        other = crps_for_ensemble(data, truth, "m", method=method, preserve_dims="all")
        np.testing.assert_allclose(ours, other.values, atol=1e-6)


@given(arrays(np.float64, (7, 3), elements=st.floats(-1e3, 1e3)))
def test_crps_is_its_definition(values: np.ndarray) -> None:
    x, y = values[1:], values[0]
    pairs = np.abs(x[:, None] - x).sum((0, 1))
    skill = np.abs(x - y).mean(0)
    np.testing.assert_allclose(crps(x, y, fair=False), skill - pairs / 72, atol=1e-9)
    np.testing.assert_allclose(crps(x, y), skill - pairs / 60, atol=1e-9)


def gaussian_crps(y: np.ndarray) -> np.ndarray:
    """Of a standard normal forecast (Gneiting & Raftery 2007, equation 21)."""
    return np.asarray(y * (2 * norm.cdf(y) - 1) + 2 * norm.pdf(y) - 1 / np.sqrt(np.pi))


def test_crps_of_many_members_is_the_closed_form_of_the_gaussian() -> None:
    y = np.linspace(-3, 3, 13)
    x = norm.ppf((np.arange(4000) + 0.5) / 4000)[:, None] * np.ones_like(y)
    np.testing.assert_allclose(crps(x, y, fair=False), gaussian_crps(y), atol=1e-3)


@pytest.mark.parametrize("members", [2, 3, 10])
def test_only_the_fair_crps_does_not_depend_on_the_number_of_members(members: int) -> None:
    y = draws(200_000 // members)
    x = np.random.default_rng(2).normal(size=(members, len(y)))
    expected = 1 / np.sqrt(np.pi)  # mean for a perfect Gaussian forecast
    tolerance = 4 * crps(x, y).std() / np.sqrt(len(y))
    assert abs(crps(x, y).mean() - expected) < tolerance
    excess = crps(x, y, fair=False).mean() - expected
    assert abs(excess - expected / members) < tolerance


def test_crps_of_one_member_is_the_absolute_error() -> None:
    x, y = draws(1, 9), draws(9)[::-1]
    for fair in (True, False):
        np.testing.assert_array_equal(crps(x, y, fair=fair), np.abs(x[0] - y))


@pytest.mark.parametrize("members", [2, 5, 20])
def test_spread_equals_skill_for_exchangeable_members_of_any_number(members: int) -> None:
    centre, noise = draws(100_000), np.random.default_rng(3).normal(size=(members + 1, 100_000))
    x, y = centre + noise[1:], centre + noise[0]
    variance, square = ensemble.variance(x), (x.mean(0) - y) ** 2
    predicted = ensemble.predicted_square(variance, members)
    assert ensemble.spread_skill(predicted.mean(), square.mean()) == pytest.approx(1, abs=0.01)
    without = np.sqrt(variance.mean() / square.mean())
    assert without == pytest.approx(np.sqrt(members / (members + 1)), abs=0.01)


@pytest.mark.parametrize("members", [2, 10])
def test_unbiased_error_is_that_of_an_endless_ensemble(members: int) -> None:
    noise = np.random.default_rng(4).normal(size=(members, 100_000))
    square = (noise.mean(0) - 0.7) ** 2  # the mean of endlessly many is off by 0.7
    unbiased = ensemble.unbiased_square(square, ensemble.variance(noise), members).mean()
    assert ensemble.root(unbiased) == pytest.approx(0.7, abs=0.01)
    assert ensemble.root(square.mean()) > 0.75


def test_spread_of_one_member_is_not_a_number() -> None:
    assert np.isnan(ensemble.variance(draws(1, 3))).all()


def test_anomaly_correlation_of_a_scaled_anomaly_is_one() -> None:
    a = draws(100)
    found = ensemble.anomaly_correlation((3 * a * a).mean(), (9 * a * a).mean(), (a * a).mean())
    assert found == pytest.approx(1)


def test_quantile_is_numpys() -> None:
    values = draws(21, 3, BLOCK + 5)
    levels = (0.0, 0.1, 0.5, 0.97, 1.0)
    np.testing.assert_allclose(quantile(values, levels), np.quantile(values, levels, axis=0))
    values[4, 1, 2] = np.nan
    assert np.isnan(quantile(values, levels)[:, 1, 2]).all()


@pytest.mark.parametrize("poles", [False, True])
def test_regions_are_weighted_by_exact_areas(poles: bool) -> None:
    rows = 181 if poles else 180
    grid = Grid(np.linspace(-90, 90, rows) if poles else np.arange(-89.5, 90), np.arange(0.0, 360))
    weight = region_weights(grid, ["global", "tropics", "northern-extratropics"])
    np.testing.assert_allclose(weight.sum((1, 2)), 1)
    height = np.sin(np.deg2rad(grid.latitude))[:, None] * np.ones(360)
    mean = regional_mean(np.stack([height, height**2]), weight)
    np.testing.assert_allclose(mean[:, 0], [0, 1 / 3], atol=1e-4)
    north = np.sin(np.deg2rad(20 - 0.5 * poles))  # the edge of the southernmost row
    assert mean[0, 2] == pytest.approx((1 + north) / 2, abs=1e-4)
