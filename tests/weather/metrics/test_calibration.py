"""Ranks and probabilities: laws of calibrated ensembles, and other libraries."""

import operator

import numpy as np
import pytest
import scoringrules
import xarray as xr
from scipy.stats import chisquare
from scores.probability import brier_score_for_ensemble

from weather.metrics.calibration import (
    BINS,
    brier,
    by_spread,
    histogram,
    probability,
    probability_square,
    ranks,
    reliability,
)


def one(width: int) -> np.ndarray:
    """A region of forty rows of one area."""
    return np.full((1, 40, width), 1 / (40 * width))


def draws(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("step", [0.0, 0.5])
def test_ranks_of_exchangeable_members_are_uniform_even_with_ties(step: float) -> None:
    x = draws(8, 1, 40, 500)
    x = np.round(x / step) * step if step else x
    rank = ranks(x[1:], x[0], np.random.default_rng(1))
    share = histogram(rank, 8, one(500))[0, 0]
    assert share.sum() == pytest.approx(1)
    assert chisquare(share * rank.size).pvalue > 0.01


def test_ranks_without_random_ties_would_not_be_uniform() -> None:
    x = np.round(draws(8, 20_000) / 0.5)
    counts = np.bincount((x[1:] < x[0]).sum(0), minlength=8)
    assert chisquare(counts).pvalue < 1e-6


def test_too_narrow_ensembles_have_full_outer_ranks() -> None:
    rank = ranks(0.5 * draws(9, 1, 40, 100, seed=1), draws(1, 40, 100), np.random.default_rng(0))
    share = histogram(rank, 10, one(100))[0, 0]
    assert share[[0, -1]].min() > 2 * share[1:-1].max()


def test_ties_depend_on_the_seed_only() -> None:
    x, y = np.zeros((5, 1000)), np.zeros(1000)
    first, same, other = (ranks(x, y, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
    assert set(first) == set(range(6))


def test_histogram_weighs_rows() -> None:
    index = np.array([[[0, 0], [1, 2]]])
    weight = np.array([[[0.375] * 2, [0.125] * 2], [[0.0] * 2, [0.5] * 2]])
    expected = [[0.75, 0.125, 0.125], [0, 0.5, 0.5]]
    np.testing.assert_allclose(histogram(index, 3, weight)[0], expected)


@pytest.mark.parametrize("fair", [True, False])
def test_brier_agrees_with_scoringrules_and_scores(fair: bool) -> None:
    x, y = draws(10, 200), draws(200, seed=1)
    chance, event = probability(x, np.full(200, 0.3)), y > 0.3
    ours = brier(chance, event, 10, fair=fair)
    if not fair:
        np.testing.assert_allclose(ours, scoringrules.brier_score(event, chance), atol=1e-6)
    theirs = brier_score_for_ensemble(
        xr.DataArray(x, dims=("m", "a")),
        xr.DataArray(y, dims="a"),
        "m",
        0.3,
        preserve_dims="all",
        fair_correction=fair,
        event_threshold_operator=operator.gt,
    )
    np.testing.assert_allclose(ours, np.ravel(theirs), atol=1e-6)


@pytest.mark.parametrize("members", [2, 5])
def test_only_the_fair_brier_score_does_not_depend_on_the_number_of_members(members: int) -> None:
    chance, event = probability(draws(members, 100_000), np.zeros(())), draws(100_000, seed=1) > 0
    assert brier(chance, event, members).mean() == pytest.approx(0.25, abs=0.005)
    raw = brier(chance, event, members, fair=False).mean()
    assert raw == pytest.approx(0.25 + 0.25 / members, abs=0.005)


def test_reliability_of_true_probabilities_is_the_diagonal() -> None:
    generator = np.random.default_rng(0)
    chance = generator.integers(0, 21, (2, 40, 2000)) / 20
    event = generator.random(chance.shape) < chance
    share, forecast, seen = np.moveaxis(reliability(chance, event, one(2000))[:, 0], 1, 0)
    assert share.shape == (2, BINS)
    np.testing.assert_allclose(share.sum(1), 1)
    np.testing.assert_allclose(seen / share, forecast / share, atol=0.03)
    np.testing.assert_allclose(forecast.sum(1), chance.mean((1, 2)))


def test_probabilities_of_twenty_members_are_spread_evenly_over_bins() -> None:
    chance = np.tile(np.arange(21) / 20, (1, 40, 1))
    share, forecast, _ = reliability(chance, chance > 2, one(21))[0, 0]
    np.testing.assert_allclose(21 * share, [1, 2, 2, 2, 2, 3, 2, 2, 2, 2, 1])
    assert np.abs(forecast / share - np.arange(BINS) / 10).max() < 0.03


@pytest.mark.parametrize("members", [3, 10])
def test_square_of_a_probability_does_not_depend_on_the_number_of_members(members: int) -> None:
    share = np.random.default_rng(0).binomial(members, 0.3, 200_000) / members
    assert probability_square(share, members).mean() == pytest.approx(0.09, abs=0.002)
    assert (share**2).mean() > 0.09 + 0.15 / members


@pytest.mark.parametrize("known", [True, False])
def test_errors_follow_the_spread_of_an_ensemble_that_knows_them(known: bool) -> None:
    generator = np.random.default_rng(0)
    size = np.exp(generator.normal(size=(20, 40, 100)) * 0.5)
    noise = generator.normal(size=(9, 20, 40, 100))
    other = size if known else np.exp(generator.normal(size=size.shape) * 0.5)
    share, error, predicted = by_spread(noise[1:] * other, noise[0] * size, one(100)).mean(0)[0]
    np.testing.assert_allclose(share, 0.1)
    ratio = np.sqrt(error / share)[-1] / np.sqrt(error / share)[0]
    spread = np.sqrt(predicted / share)
    assert spread[-1] > 2 * spread[0]
    if known:
        np.testing.assert_allclose(error, predicted, rtol=0.1)
        assert ratio > 2
    else:
        assert ratio == pytest.approx(1, abs=0.2)


def test_a_spread_that_is_large_by_chance_is_not_believed() -> None:
    x = draws(5, 50, 40, 100)
    share, error, predicted = by_spread(x[1:], x[0], one(100)).mean(0)[0]
    np.testing.assert_allclose(predicted / share, 1.25, rtol=0.1)
    np.testing.assert_allclose(error / share, 1.25, rtol=0.1)


def test_circles_of_latitude_are_ranked_each_by_itself() -> None:
    x = draws(6, 1, 40, 100) * np.linspace(1, 50, 40)[:, None]
    share, _, predicted = by_spread(x, np.zeros((1, 40, 100)), one(100))[0, 0]
    np.testing.assert_allclose(share, 0.1)
    assert predicted[-1] < 3 * predicted[0]  # not the 2500 of latitudes


def test_cells_of_no_weight_are_in_no_group() -> None:
    x, weight = draws(6, 3, 40, 100), one(100).copy()
    land = np.zeros((40, 100), bool)
    land[:, 30:60] = True
    land[:2] = True
    weight[:, land] = 0
    filled = np.where(land, 1e6 * draws(6, 1, 40, 100, seed=1), x)
    expected = by_spread(x[1:], x[0], weight)
    np.testing.assert_allclose(by_spread(filled[1:], filled[0], weight), expected)
    np.testing.assert_allclose(expected[..., 0, :].sum(-1), weight.sum())
