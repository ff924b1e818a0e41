"""Random subsets of a given size."""

import itertools

import torch

from graphs.generators.contraction.split import conditional_bernoulli as subset
from refine_core.noise import Noise


def test_probabilities_of_all_subsets_of_a_size_add_up_to_one() -> None:
    logits = torch.randn(1, 6, generator=torch.Generator().manual_seed(0)) * 2
    for size in range(7):
        chosen = torch.zeros(0, 6).bool()
        for members in itertools.combinations(range(6), size):
            row = torch.zeros(1, 6).bool()
            row[0, list(members)] = True
            chosen = torch.cat([chosen, row])
        total = subset.log_prob(logits.expand(len(chosen), 6), chosen).exp().sum()
        assert torch.isclose(total, torch.ones(()), atol=1e-5)


def test_samples_have_the_size_and_follow_the_probabilities() -> None:
    logits = torch.tensor([[1.0, -0.5, 0.3, 0.0, -1e4]])  # the last is padding
    count = 20_000
    uniform = Noise(0, torch.arange(count)).uniform(0, 5)
    drawn = subset.sample(logits.expand(count, 5), torch.full((count,), 2), uniform)
    assert bool((drawn.sum(1) == 2).all())
    assert not bool(drawn[:, 4].any())
    for members in itertools.combinations(range(4), 2):
        row = torch.zeros(1, 5).bool()
        row[0, list(members)] = True
        share = (drawn == row).all(1).float().mean()
        assert abs(float(share - subset.log_prob(logits, row).exp())) < 0.012


def test_an_empty_and_a_full_subset_are_certain() -> None:
    logits = torch.tensor([[0.3, -2.0]])
    for size in (0, 2):
        row = torch.full((1, 2), size == 2)
        assert torch.isclose(subset.log_prob(logits, row), torch.zeros(1), atol=1e-6).all()
        assert torch.equal(
            subset.sample(logits, torch.tensor([size]), torch.full((1, 2), 0.7)), row
        )
