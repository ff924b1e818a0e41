"""The random forward process: off at zero, exact probabilities, repaired by later scales."""

import pytest
import torch
from scipy import stats
from torch import Tensor

from refine_core.errors import InputError
from refine_core.heads.categorical import CodeDistribution
from refine_core.methods.stochastic import Stochastic, code_distribution
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from tests.refine_core.tiny import (
    DIM,
    QUANTIZERS,
    TinyEmbed,
    real_refiner,
    refiner,
    tokenizer,
    with_methods,
)

X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, -1])
Own = Stochastic[Tensor, Tensor]


def encoded(own: Own, x: Tensor, noise: Noise, kind: str = "vq") -> list[Tensor]:
    model = with_methods(refiner(kind), own)
    return model._encode(noise)(x, None).codes


def test_no_strength_changes_nothing() -> None:
    plain, model = (
        each.train()
        for each in (refiner(corruption=0.3), with_methods(refiner(corruption=0.3), Own(0, 0)))
    )
    a, b = (each((X, LABELS), Noise.range(0, 6)) for each in (plain, model))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("kind", [kind for kind in QUANTIZERS if kind != "residual"])
def test_probabilities_follow_the_distances(kind: str) -> None:
    tokens, k = tokenizer(kind), 1
    state = tokens.trace(X).states[k]
    found = code_distribution(tokens, X, state, k, 0.3)
    digits, values = tokens.digits(k), tokens.digit_values(k)
    codes = torch.cartesian_prod(*[torch.arange(values)] * digits).reshape(-1, digits)
    value = tokens.lookup(codes[:, None], k).value[:, 0]
    residual = tokens.quantizer(k).project(tokens.residual(X, state, k))
    energy = -(residual[:, :, None] - value).square().sum(-1)
    log = torch.stack(
        [found.token_log_prob(c.expand(6, residual.shape[1], -1)) for c in codes], -1
    )
    assert torch.allclose(log.exp().sum(-1), torch.ones(()), atol=1e-4)
    ratio = (log - log[..., :1]) / (energy - energy[..., :1]).where(energy != energy[..., :1], 1)
    known = (energy - energy[..., :1]).abs() > 1e-3
    assert torch.allclose(ratio[known], ratio[known].mean(), rtol=1e-2), "one temperature for all"
    likeliest = found.logits.argmax(-1)
    assert torch.equal(likeliest, tokens.quantize(X, state, k).code)


def test_frequencies_are_the_probabilities() -> None:
    tokens, count = tokenizer(), 4000
    x = X[:1].expand(count, -1, -1, -1)
    codes = encoded(Own(0.5), x, Noise.range(0, count))[0].flatten()
    dist = code_distribution(tokens, X[:1], tokens.start(1), 0, 0.5)
    expected = dist.logits.double().softmax(-1).flatten() * count
    kept = expected > 5
    found = torch.bincount(codes, minlength=8)[kept]
    expected = expected[kept] / expected[kept].sum() * found.sum()
    assert stats.chisquare(found.numpy(), expected.numpy()).pvalue > 1e-3
    assert int(kept.sum()) > 1


@pytest.mark.parametrize("own", [Own(1e-9, 0), Own(0, 1e-9), Own(1e-9, 1e-9)])
def test_little_strength_is_almost_the_deterministic_process(own: Own) -> None:
    for kind in ("vq", "product"):
        found = encoded(own, X, Noise.range(0, 6), kind)
        expected = tokenizer_codes(kind)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def tokenizer_codes(kind: str) -> list[Tensor]:
    return refiner(kind).tokenizer.encode(X)


@pytest.mark.parametrize("own", [Own(0.5, 0), Own(0, 0.5), Own(0.5, 0.5)])
def test_later_scales_repair_what_was_drawn(own: Own) -> None:
    model, noise = with_methods(refiner(), own), Noise.range(0, 6)
    trace = model._encode(noise)(X, None)
    assert any(
        not torch.equal(a, b) for a, b in zip(trace.codes, model.tokenizer.encode(X), strict=True)
    )
    decoded = model.tokenizer.decode(trace.codes)
    assert torch.allclose(decoded, model.tokenizer.finish(trace.states[-1]), atol=1e-5)
    part = model._encode(Noise(0, torch.arange(2, 6)))(X[2:], None).codes
    assert all(torch.equal(a[2:], b) for a, b in zip(trace.codes, part, strict=True))
    assert torch.equal(model.code_log_prob(X, LABELS), refiner().code_log_prob(X, LABELS))


def test_codes_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(InputError, match="codes of real numbers are not drawn"):
        with_methods(real_refiner(), Own(0.1))
    with pytest.raises(InputError, match="the digits of scale 0 share channels"):
        with_methods(refiner("residual"), Own(0.1))
    model = refiner()
    tokens = tokenizer(loop="open")
    parts = tokens, TinyEmbed(tokens, 8, 2), model.transformer, model.head
    with pytest.raises(InputError, match="an open loop does not repair codes that are drawn"):
        Refiner(*parts, methods=[Own(0.1)])
    Refiner(*parts, methods=[Own(0, 0.1)])
    assert isinstance(code_distribution(tokens, X, X, 0, 1.0), CodeDistribution)
