"""Expected values of codes: what their digits say on average.

Where the value of a code is a sum of one vector for each digit, as of all quantisers here,

    value(c) = base + sum_t T[t, c_t],   E value(c) = base + sum_t sum_v p_t(v) T[t, v],

so the expectation takes g v lookups, not v ** g. Of a mixture p_t is the exact marginal. Digits
that are drawn one after the other have no cheap marginals: their p_t is that given the digits
before it in a code. For a code that was drawn, sums over t of expectations and of entropies are
then estimates without bias, of less variance than those of the code alone (Rao-Blackwell).
"""

from typing import cast

import torch
from torch import Tensor

from refine_core.heads.categorical import CodeDistribution
from refine_core.heads.depth import SequentialDistribution
from refine_core.heads.distribution import Distribution
from refine_core.heads.mixture import MixtureDistribution
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer


def digit_distribution(dist: Distribution, code: Tensor | None = None) -> CodeDistribution:
    """Distribution of each digit, see above.

    Args:
        dist: Distribution of codes of digits.
        code: (b, n, g), for digits that are drawn one after the other; None means that each digit
            is the likeliest given those before it.
    """
    if isinstance(dist, MixtureDistribution):
        each = dist.weights[..., None, None] + dist.logits.log_softmax(-1)
        return CodeDistribution(each.logsumexp(2), dist.valid)
    if isinstance(dist, SequentialDistribution):
        if code is None:
            index = torch.zeros(len(dist.hidden), dtype=torch.long, device=dist.hidden.device)
            code = dist.sharpened(temperature=0).sample(Noise(0, index))  # whatever the noise
        return dist.given(code)
    return cast(CodeDistribution, dist)


def digit_vectors(tokenizer: ResidualTokenizer, k: int) -> tuple[Tensor, Tensor]:
    """The base (d,), and the vectors T (g, v, d) of the digits of scale k, with T[:, 0] = 0."""
    digits, values = tokenizer.digits(k), tokenizer.digit_values(k)
    every = torch.arange(values, device=tokenizer.get_buffer("nothing").device)
    codes = every.new_zeros(digits, values, digits)
    codes.diagonal(dim1=0, dim2=2).copy_(every[:, None])
    found = tokenizer.lookup(codes, k).value.detach()
    return found[0, 0], found - found[0, 0]


def expected_value(dist: CodeDistribution, tokenizer: ResidualTokenizer, k: int) -> Tensor:
    """Expected value (b, n, d) of the codes of scale k."""
    base, vectors = digit_vectors(tokenizer, k)
    return base + torch.einsum("bngv,gvd->bnd", dist.logits.softmax(-1), vectors)
