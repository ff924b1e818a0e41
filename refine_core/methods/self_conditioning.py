"""Self-conditioning across scales (Analog Bits, Chen et al., 2022, arXiv 2208.04202, section 3.2).

A diffusion model is told its last estimate of the data. Here scale k + 1 is told the state that
scale k expected,

    e_k = s_k + phi_k(up(sum_c p_k(c) value(c))),

beside the state s_{k+1} that was drawn: their difference is what the draw has decided. A linear
map of e_k, zero before training, is added to each token.

In half of the training steps the estimates come from a first pass without gradient, in which no
scale is told anything; in the other half no scale is told anything. Sampling and likelihoods take
the estimate of the call before, so a likelihood takes one call a scale. Where digits are drawn
one after the other, the expectation is that of each given the likeliest ones before it, and takes
as many steps of the small network as a draw does.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from refine_core.embed import ContextT
from refine_core.heads.distribution import Distribution
from refine_core.methods.base import Method, check_digits, grid_tokenizer
from refine_core.methods.expectation import digit_distribution, expected_value
from refine_core.methods.registry import method
from refine_core.tokenizer import DataT
from refine_core.tokens import Tokens

if TYPE_CHECKING:
    from refine_core.refiner import Refiner


@method("self_conditioning")
class SelfConditioning(Method[DataT, Tensor, Tensor, ContextT]):
    """Tells each scale what the one before expected."""

    enter: nn.Linear

    def attach(self, refiner: "Refiner[DataT, Tensor, Tensor, ContextT]") -> None:
        """Make the linear map."""
        dim = grid_tokenizer(self.name, refiner).dim
        check_digits(self.name, refiner)
        self.enter = nn.Linear(dim, refiner.transformer.dim, bias=False)
        nn.init.zeros_(self.enter.weight)

    def tokens(self, tokens: Tokens, state: Tensor, k: int, note: Tensor | None) -> Tokens:
        """Tokens with the estimate; its gradient is zero, not none, where there is no estimate."""
        told = 0 * self.enter.weight.sum() if note is None else self.enter(note)
        return replace(tokens, value=tokens.value + told)

    def note(
        self,
        refiner: "Refiner[DataT, Tensor, Tensor, ContextT]",
        dist: Distribution,
        state: Tensor,
        k: int,
    ) -> Tensor | None:
        """The state that scale k expects, (b, n, d) at the cells of scale k + 1."""
        tokenizer = grid_tokenizer(self.name, refiner)
        if k + 1 == len(tokenizer.schedule):
            return None
        value = torch.nan_to_num(expected_value(digit_distribution(dist), tokenizer, k))
        return tokenizer.take(tokenizer.view(tokenizer.add(state, value, k), k + 1), k + 1)
