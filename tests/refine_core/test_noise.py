"""Random numbers depend on seed, sample, stream and place only, and are random."""

import torch
from scipy import stats

from refine_core.noise import Noise, derive


def test_independent_of_the_batch() -> None:
    whole = Noise(7, torch.arange(100)).uniform(3, 4, 5)
    part = Noise(7, torch.tensor([41, 3])).uniform(3, 4, 5)
    assert torch.equal(part, whole[[41, 3]])


def test_uniform_and_normal_laws() -> None:
    noise = Noise(1, torch.arange(200))
    assert stats.kstest(noise.uniform(0, 500).flatten(), "uniform").pvalue > 1e-3
    assert stats.kstest(noise.normal(0, 500).flatten(), "norm").pvalue > 1e-3


def test_seeds_samples_streams_and_places_are_uncorrelated() -> None:
    base = Noise(0, torch.arange(100)).uniform(0, 1000)
    others = [
        Noise(1, torch.arange(100)).uniform(0, 1000),
        Noise(0, torch.arange(1, 101)).uniform(0, 1000),
        Noise(0, torch.arange(100)).uniform(1, 1000),
        Noise(0, torch.arange(100)).fork(1).uniform(0, 1000),
        base.roll(1, 1),
    ]
    for other in others:
        correlation = torch.corrcoef(torch.stack([base.flatten(), other.flatten()]))[0, 1]
        assert correlation.abs() < 0.015


def test_range_and_streams_of_any_sign() -> None:
    for stream in (-2, -1, 0, 2**40):
        u = Noise(-5, torch.tensor([0, -1, 2**62])).uniform(stream, 10_000)
        assert 0 <= u.min() and u.max() < 1


def test_derived_seeds_differ() -> None:
    seeds = {derive(a, b) for a in range(50) for b in range(50)}
    assert len(seeds) == 2500 and all(0 <= s < 2**63 for s in seeds)
