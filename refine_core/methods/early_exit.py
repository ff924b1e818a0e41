"""Early exit: a sample is refined until the next scale would hardly change it.

Samplers of diffusion with adaptive steps, and early exits of deep networks (Graves, 2016, arXiv
1603.08983; Teerapittayanon et al., 2016, BranchyNet), stop where the answer is settled. After the
codes of a size are drawn, a sample leaves if either

    H(p_k) / tokens < entropy            (bits a token; the codes were nearly certain), or
    |E s_{k+1} - s_k|^2 < change^2 |E s_{k+1}|^2   (the size was expected to change little).

It leaves the batch, so that later calls are smaller, and keeps the state that it had. Both are
measured on the last part of the size, on distributions that sampling computes anyway, before
temperature and the like. Where digits are drawn one after the other, they are estimated along the
digits that were drawn; of a mixture H is the entropy of its marginals
(`refine_core.methods.expectation`).
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from refine_core.config.ranges import NonNegativeFloat, PositiveInt
from refine_core.embed import ContextT
from refine_core.errors import InputError
from refine_core.heads.categorical import CodeDistribution
from refine_core.methods.base import Find, Method, Unroll, check_digits, grid_tokenizer
from refine_core.methods.expectation import digit_distribution, expected_value
from refine_core.methods.registry import method
from refine_core.quantizers.base import Quantized
from refine_core.residual import ResidualTokenizer
from refine_core.sampling.caller import Chooser
from refine_core.tokenizer import DataT, Trace

if TYPE_CHECKING:
    from refine_core.refiner import Refiner

LEFT = -1
"""Stands for the codes of a sample that has left."""


@method("early_exit")
class EarlyExit(Method[DataT, Tensor, Tensor, ContextT]):
    """Lets samples leave before the last size; with both limits 0 none does.

    Args:
        entropy: Least mean entropy of a token's code, in bits.
        change: Least expected change of the state, as a share of the norm of the state expected.
        sizes: Sizes that every sample has at least.
    """

    in_sampling = True

    def __init__(
        self,
        entropy: NonNegativeFloat = 0.0,
        change: NonNegativeFloat = 0.1,
        sizes: PositiveInt = 1,
    ) -> None:
        super().__init__()
        self.entropy, self.change, self.sizes = entropy, change, sizes

    def connect(self, refiner: "Refiner[DataT, Tensor, Tensor, ContextT]", find: Find) -> None:
        """Refuse other than grids and codes of digits."""
        grid_tokenizer(self.name, refiner)
        check_digits(self.name, refiner)

    def unroll(
        self,
        unroll: Unroll[Tensor, Tensor],
        refiner: "Refiner[DataT, Tensor, Tensor, ContextT]",
    ) -> Unroll[Tensor, Tensor]:
        """The loop over the scales, with fewer and fewer samples.

        The trace has the states of all samples, and `LEFT` for codes of those that have left. It
        ends where none is left.

        Raises:
            InputError: Another method changes the loop.
        """
        if not (self.entropy or self.change):
            return unroll
        if getattr(unroll, "__self__", None) is not refiner:
            raise InputError(
                f"{self.name}: found another method that changes the loop over scales, such as "
                "consistency: leave one of them out."
            )
        tokenizer = grid_tokenizer(self.name, refiner)
        ends = tokenizer.schedule.complete[self.sizes - 1 : -1]

        def run(
            state: Tensor, choose: Chooser[Tensor, Tensor], scales: int | None
        ) -> Trace[Tensor]:
            count = tokenizer.scale_count(scales)
            states, chosen = [state], list[Quantized]()
            active = torch.arange(len(state), device=state.device)
            for k in range(count):
                before = states[-1][active]
                choice = choose(before, k)
                after = tokenizer.carry(states[-1], k)
                states.append(after.index_copy(0, active, tokenizer.add(before, choice.value, k)))
                chosen.append(_padded(choice, active, len(state)))
                if choose.after is not None:
                    choose.after(states[-1], k)
                if k in ends and choose.dist is not None:
                    dist = digit_distribution(choose.dist, choice.code)
                    stay = ~self.settled(dist, tokenizer, before, k)
                    active, choose = active[stay], choose.rows(stay.nonzero()[:, 0])
                if not len(active):
                    break
            return Trace(states, chosen)

        return run

    def settled(
        self, dist: CodeDistribution, tokenizer: ResidualTokenizer, state: Tensor, k: int
    ) -> Tensor:
        """Which samples (b,) leave, by the distribution of scale k and the state before it."""
        entropy = dist.entropy().mean(1) / math.log(2)
        expected = tokenizer.add(state, expected_value(dist, tokenizer, k), k)
        change = expected - tokenizer.carry(state, k)
        moved, size = ((x.square().flatten(1).sum(1)) for x in (change, expected))
        return (entropy < self.entropy) | (moved < self.change**2 * size)


def _padded(choice: Quantized, active: Tensor, count: int) -> Quantized:
    """Codes of all samples."""
    code = choice.code.new_full((count, *choice.code.shape[1:]), LEFT)
    value = choice.value.new_zeros(count, *choice.value.shape[1:])
    return Quantized.known(
        code.index_copy(0, active, choice.code), value.index_copy(0, active, choice.value)
    )
