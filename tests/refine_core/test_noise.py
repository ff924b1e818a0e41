"""Random numbers depend on seed, sample, stream and place only, and are random."""

import pytest
import torch
from scipy import stats

from refine_core.errors import InputError
from refine_core.noise import Noise, derive


def test_independent_of_the_batch() -> None:
    whole = Noise(7, torch.arange(100)).uniform(3, 4, 5)
    part = Noise(7, torch.tensor([41, 3])).uniform(3, 4, 5)
    assert torch.equal(part, whole[[41, 3]])


def test_numbers_may_begin_anywhere_in_a_stream() -> None:
    noise = Noise.range(0, 5)
    assert torch.equal(noise.uniform(2, 3, start=4), noise.uniform(2, 9)[:, 4:7])
    place = torch.tensor([[5, 0]]).expand(len(noise), 2)
    assert torch.equal(noise.uniform_at(2, place), noise.uniform(2, 9)[:, [5, 0]])
    which = torch.tensor([3, 1])
    assert torch.equal(noise.rows(which).uniform(2, 3), noise.uniform(2, 3)[which])


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


def test_samples_have_int64_names() -> None:
    assert torch.equal(Noise.range(3, 4).index, torch.arange(4)) and len(Noise.range(3, 4)) == 4
    with pytest.raises(InputError, match="found torch.int32"):
        Noise(0, torch.arange(3, dtype=torch.int32))
    with pytest.raises(InputError, match="found torch.float32"):
        Noise(0, torch.rand(3))


@pytest.mark.filterwarnings("ignore")  # those of the compiler itself
def test_compiled_code_sees_the_same_numbers() -> None:
    """Seeds change from step to step, and shapes from scale to scale, as in self-correction."""

    def corrupted(noise: Noise) -> torch.Tensor:
        total = torch.zeros(())
        for k, shape in enumerate([(1, 1), (4, 2), (25, 3)]):
            hit = noise.uniform(2 * k, *shape) < 0.5
            other = noise.fork(k).uniform(2 * k + 1, *shape)
            total = total + torch.where(hit, other, 0).sum() + noise.normal(k, 2).sum()
        return total

    compiled = torch.compile(corrupted)
    for step in range(5):
        noise = Noise(derive(0, step), torch.arange(6))
        assert torch.allclose(compiled(noise), corrupted(noise))
