"""Expected values of codes: what independent digits say on average.

Where the value of a code is a sum of one vector for each digit, as of all quantisers here,

    value(c) = base + sum_t T[t, c_t],   E value(c) = base + sum_t sum_v p_t(v) T[t, v],

so the expectation takes g v lookups, not v ** g.
"""

import torch
from torch import Tensor

from refine_core.heads.categorical import CodeDistribution
from refine_core.residual import ResidualTokenizer


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
