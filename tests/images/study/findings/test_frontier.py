"""Frontiers, crossings and intervals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from images.study.findings.frontier import all_series, crossing, frontier
from images.study.findings.results import Findings
from images.study.findings.statistics import FRECHET, RECALL, TIME, Effect, Interval
from tests.images.study.findings.synthetic import plain

VALUES = st.lists(st.floats(0.1, 10.0), min_size=2, max_size=6)


@given(VALUES)
def test_intervals_are_those_of_the_t_test(values: list[float]) -> None:
    found = Interval.of(values)
    if len(set(values)) > 1:
        truth = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((truth.low, truth.high))
    logs = Interval.of([math.log(value) for value in values])
    ratio = Interval.of(values, ratio=True)
    assert math.log(ratio.mean) == pytest.approx(logs.mean, abs=1e-9)


@given(VALUES, st.floats(0.5, 2.0))
def test_effects_are_antisymmetric(values: list[float], factor: float) -> None:
    ours = dict(enumerate(values))
    base = {seed: factor * value + 0.01 * seed for seed, value in ours.items()}
    there, back = Effect.of(FRECHET, ours, base), Effect.of(FRECHET, base, ours)
    assert there and back and there.better == -back.better
    assert there.interval.mean == pytest.approx(1 / back.interval.mean)


def test_effects_pair_seeds_and_know_what_is_better() -> None:
    # Seeds differ much, but arm by arm one is always a little better.
    ours, base = {0: 1.0, 1: 2.0, 2: 4.0}, {0: 1.1, 1: 2.2, 2: 4.41}
    lower = Effect.of(FRECHET, ours, base)
    assert lower and lower.better == 1
    higher = Effect.of(RECALL, {0: 0.5, 1: 0.6}, {0: 0.1, 1: 0.2, 2: 9.0})
    assert higher and higher.better == 1 and higher.interval.mean == pytest.approx(0.4)
    assert Effect.of(FRECHET, {0: 1.0}, {1: 1.0}) is None
    alone = Effect.of(FRECHET, {0: 1.0}, {0: 2.0})
    assert alone and alone.better == 0 and alone.text() == "0.50x"


def test_a_frontier_keeps_what_nothing_cheaper_beats() -> None:
    findings = Findings.of(
        plain({"latent-codes": {4: 0.3}, "latent-diffusion": {1: 5.0, 4: 0.8, 10: 0.9, 16: 0.5}})
    )
    spots = findings.arms["latent-diffusion"].guided
    assert [price for price, _ in frontier(spots, FRECHET)] == [1, 4, 16]
    assert [price for price, _ in frontier(spots, FRECHET, TIME)] == [0.4, 1.6, 6.4]
    assert [spot.calls for _, spot in frontier(spots, RECALL)] == [1]


def test_arms_of_other_scales_make_one_series() -> None:
    distances = {"latent-codes": {4: 0.3}, "latent-codes-2": {2: 0.6}, "pixel-codes": {4: 1.0}}
    series = all_series(Findings.of(plain(distances)))
    assert {each.label: [s.calls for s in each.spots] for each in series} == {
        "latent codes": [2, 4],
        "pixel codes": [4],
    }


def test_a_series_of_whole_scales_and_of_one_sampler() -> None:
    results = plain(
        {
            "latent-codes-sequential": {4: 0.3},
            "latent-codes-sequential-10": {10: 0.2},
            "latent-diffusion": {3: 9.0, 4: 2.0, 15: 5.0, 16: 0.5},
        }
    )
    for seed in results["arms"]["latent-diffusion"]["seeds"].values():  # type: ignore[index]
        for point in seed["points"]:
            point["sampler"] = "heun" if point["calls"] % 2 else "ddim"
    sequence, diffusion = all_series(Findings.of(results))
    assert [spot.calls for spot in sequence.spots] == [4, 10]
    assert [spot.calls for spot in sequence.whole().spots] == [4]
    assert [spot.calls for spot in diffusion.spots] == [3, 4, 15, 16]
    assert [spot.calls for spot in diffusion.by_best_sampler().spots] == [4, 16]


def test_where_a_rival_overtakes() -> None:
    results = plain(
        {"latent-codes": {4: 0.3}, "latent-diffusion": {4: 0.8, 16: 0.4, 32: 0.299, 100: 0.2}}
    )
    points = results["arms"]["latent-diffusion"]["seeds"]["0"]["points"]  # type: ignore[index]
    for point in points:
        if point["calls"] == 32:
            point["frechet"] *= 1.02
    arms = Findings.of(results).arms
    found = crossing(arms["latent-codes"].guided, arms["latent-diffusion"].guided, "rival")
    assert found and found.refiner.calls == 4 and found.best.calls == 100
    assert found.first is not None and found.first.calls == 100
    assert found.certain is not None and found.certain.calls == 100
    never = crossing(arms["latent-codes"].guided, arms["latent-diffusion"].guided[:2], "rival")
    assert never and never.first is None and never.effect.better == 1
