"""Expected values equal the mean over all codes, whatever the quantiser and the head."""

import math

import pytest
import torch

from refine_core.heads.categorical import CodeDistribution
from refine_core.methods.expectation import digit_distribution, digit_vectors, expected_value
from refine_core.noise import Noise
from tests.refine_core.heads.test_joint import (
    CASES,
    DIGITS,
    TOKENS,
    VALUES,
    Across,
    every_code,
    repeated,
)
from tests.refine_core.tiny import QUANTIZERS, tokenizer


@pytest.mark.parametrize("kind", list(QUANTIZERS))
def test_expected_value_is_the_mean_over_all_codes(kind: str) -> None:
    tokens, k = tokenizer(kind), 1
    digits, values = tokens.digits(k), tokens.digit_values(k)
    logits = torch.randn(1, 3, digits, values, generator=torch.Generator().manual_seed(3))
    codes = torch.cartesian_prod(*[torch.arange(values)] * digits).reshape(-1, digits)
    each = CodeDistribution(logits.expand(len(codes), -1, -1, -1))
    chance = each.token_log_prob(codes[:, None].expand(-1, 3, -1)).exp()
    mean = torch.einsum("cn,cd->nd", chance, tokens.lookup(codes[:, None], k).value[:, 0])
    assert torch.allclose(expected_value(CodeDistribution(logits), tokens, k)[0], mean, atol=1e-4)


@pytest.mark.parametrize("kind", list(QUANTIZERS))
def test_values_are_sums_over_digits(kind: str) -> None:
    tokens, k = tokenizer(kind), 1
    base, vectors = digit_vectors(tokens, k)
    digits, values = tokens.digits(k), tokens.digit_values(k)
    code = torch.randint(values, (4, 5, digits), generator=torch.Generator().manual_seed(4))
    summed = base + sum(vectors[t, code[..., t]] for t in range(digits))
    assert torch.allclose(summed, tokens.lookup(code, k).value, atol=1e-5)


def one_hot(code: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(code, VALUES).float()


@pytest.mark.parametrize("across", ["digits", "tokens"])
def test_of_a_mixture_digits_have_their_marginals(across: Across) -> None:
    codes = every_code()
    chance = repeated("mixture", across, len(codes)).log_prob(codes).exp()
    marginals = torch.einsum("c,cngv->ngv", chance, one_hot(codes))
    found = digit_distribution(repeated("mixture", across, 1)).logits[0].exp()
    assert torch.allclose(found, marginals, atol=1e-5)


@pytest.mark.parametrize("across", ["digits", "tokens"])
def test_along_draws_expectation_and_entropy_are_without_bias(across: Across) -> None:
    """Averaged over all codes as often as they are drawn, they are those of the law."""
    codes = every_code()
    dist = repeated("depth", across, len(codes))
    log = dist.log_prob(codes).detach()
    chance = log.exp()
    given = digit_distribution(dist, codes).logits.log_softmax(-1).detach()
    mean = torch.einsum("c,cngv->ngv", chance, given.exp())
    assert torch.allclose(mean, torch.einsum("c,cngv->ngv", chance, one_hot(codes)), atol=1e-5)
    entropy = -(given.exp() * given).sum((1, 2, 3))
    assert math.isclose(float(chance @ entropy), float(-(chance @ log)), rel_tol=1e-4)


@pytest.mark.parametrize(("kind", "across"), CASES)
def test_without_a_code_the_first_digit_s_is_exact(kind: str, across: Across) -> None:
    codes = every_code()
    chance = repeated(kind, across, len(codes)).log_prob(codes).exp()  # type: ignore[arg-type]
    found = digit_distribution(repeated(kind, across, 1)).logits[0].softmax(-1)  # type: ignore[arg-type]
    assert found.shape == (TOKENS, DIGITS, VALUES)
    first = torch.einsum("c,cv->v", chance, one_hot(codes)[:, 0, 0])
    assert torch.allclose(found[0, 0], first, atol=1e-5)
    if kind == "depth":
        likeliest = repeated("depth", across, 1).sharpened(0).sample(Noise.range(9, 1))
        again = digit_distribution(repeated("depth", across, 1), likeliest)
        assert torch.allclose(again.logits[0].softmax(-1), found, atol=1e-6)
