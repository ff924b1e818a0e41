"""Expected values equal the mean over all codes, whatever the quantiser."""

import pytest
import torch

from refine_core.heads.categorical import CodeDistribution
from refine_core.methods.expectation import digit_vectors, expected_value
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
