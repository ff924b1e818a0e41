"""Likelihoods of grey levels: they sum to one, are calibrated, and bound what they should."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from images.study.likelihood import (
    DecoderLikelihood,
    dequantised,
    grey,
    log_logistic_mass,
    per_dim,
)
from refine_core.errors import InputError
from refine_core.noise import Noise

LEVELS = torch.arange(256.0)


def shaken(components: int = 3, seed: int = 0) -> DecoderLikelihood:
    """A likelihood with random weights, so that no part is switched off."""
    torch.manual_seed(seed)
    made = DecoderLikelihood(components)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made


def all_levels(like: DecoderLikelihood, means: Tensor) -> Tensor:
    """Log-probabilities (256, h, w) of the levels of every pixel of one decoded image."""
    images = (LEVELS / 255)[:, None, None, None].expand(256, *means.shape[1:])
    return like.pixel_log_prob(means.expand(256, -1, -1, -1), images)[:, 0]


def test_levels_sum_to_one() -> None:
    means = torch.rand(1, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    means[0, 0, 0] = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.5, 0.0, 1.0])
    for seed in range(3):
        total = all_levels(shaken(seed=seed), means).exp().sum(0)
        assert torch.allclose(total, torch.ones(6, 7), atol=1e-4)


def test_logistic_masses_are_exact_and_finite_far_away() -> None:
    centre, log_scale = (
        torch.tensor([3.2, 250.0, -40.0, 120.0]),
        torch.tensor([0.5, 2.0, 1.0, -4.0]),
    )
    got = log_logistic_mass(LEVELS[:, None], centre, log_scale)
    assert bool(got.isfinite().all())
    edges = torch.cat([torch.tensor([-torch.inf]), LEVELS[:-1] + 0.5, torch.tensor([torch.inf])])
    below = ((edges[:, None] - centre) / log_scale.exp()).double().sigmoid()
    exact = below.diff(dim=0)
    assert torch.allclose(got.double().exp(), exact, atol=1e-6)
    assert torch.allclose(got.exp().sum(0), torch.ones(4), atol=1e-4)


def test_gradients_are_finite() -> None:
    means = torch.tensor([0.0, 0.3, 1.0, 0.999]).reshape(1, 1, 2, 2).requires_grad_()
    for level in (0, 77, 255):
        like = shaken().requires_grad_(True)
        images = torch.full((1, 1, 2, 2), level / 255)
        like.log_prob(means, images).sum().backward()
        assert all(bool(p.grad.isfinite().all()) for p in like.parameters() if p.grad is not None)
        assert means.grad is not None and bool(means.grad.isfinite().all())


def test_fitting_calibrates_to_errors_that_follow_the_decoded_value() -> None:
    """Noise that is wide where the decoded value is large: found up to a few per cent of a bit."""
    draw = torch.Generator().manual_seed(0)
    means = torch.rand(400, 1, 8, 8, generator=draw)
    scale = 2 + 20 * means
    uniform = torch.rand(means.shape, generator=draw).clamp(1e-6, 1 - 1e-6)
    levels = (255 * means + scale * uniform.logit()).round().clamp(0, 255)
    own = -log_logistic_mass(levels, 255 * means, scale.log()).mean() / math.log(2)
    torch.manual_seed(0)
    like = DecoderLikelihood()
    before = float(per_dim(like.log_prob(means, levels / 255), levels).mean())
    like.fit(means[:300], levels[:300] / 255, steps=200)
    after = float(per_dim(like.log_prob(means[300:], levels[300:] / 255), levels).mean())
    assert float(own) - 0.02 < after < float(own) + 0.06 < before
    assert not any(p.requires_grad for p in like.parameters())


def test_a_model_of_codes_has_a_bound() -> None:
    """Against brute force: all images of two pixels, codes of three values, any encoder."""
    torch.manual_seed(0)
    like = shaken()
    decoded = torch.rand(3, 1, 1, 2)
    prior = torch.tensor([0.5, 0.3, 0.2]).log()
    pairs = torch.tensor(list(itertools.product(range(0, 256, 5), repeat=2)))
    images = pairs.reshape(-1, 1, 1, 2) / 255
    each = torch.stack(
        [like.log_prob(mean.expand(len(images), 1, 1, 2), images) for mean in decoded[:, None]], 1
    )
    exact = torch.logsumexp(prior.double() + each, 1)
    code = torch.randint(3, (len(images),))
    bound = prior.double()[code] + each.gather(1, code[:, None])[:, 0]
    assert bool((bound <= exact + 1e-9).all())
    nearest = each.argmax(1)
    tight = prior.double()[nearest] + each.gather(1, nearest[:, None])[:, 0]
    assert float((exact - tight).max()) < math.log(1 / prior.exp().min()) + 1e-6


def test_dequantised_images_are_uniform_within_their_level() -> None:
    images = torch.tensor([0, 17, 254, 255]).reshape(1, 1, 2, 2).expand(4000, 1, 2, 2) / 255
    values = 128 * (dequantised(images, Noise.range(0, 4000)) + 1)
    parts = values - grey(images)
    assert bool((parts >= -1e-4).all() and (parts <= 1 + 1e-4).all())
    assert torch.allclose(parts.mean(0), torch.tensor(0.5), atol=0.02)
    assert torch.allclose(parts.var(0), torch.tensor(1 / 12), atol=0.005)
    assert torch.allclose(128 * (dequantised(images, None) + 1), grey(images) + 0.5)


def test_bits_need_grey_levels() -> None:
    with pytest.raises(InputError, match="256 grey levels"):
        grey(torch.tensor([0.5]))
    nats = torch.full((2,), -8 * math.log(2))
    assert torch.allclose(per_dim(nats, torch.zeros(2, 1, 2, 2)), torch.tensor(2.0).double())
