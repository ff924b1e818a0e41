"""Noise as an input: a student that imitates how its teacher makes codes of random numbers.

A refiner that draws by the inverse distribution function is a map from uniform numbers u to codes,
c_j = F^-1(u_j; s_j). Distilled Decoding (Liu et al., 2024, arXiv 2412.17153) fixes such a map, by
flow matching from Gaussian noise, and trains a network to compute it at once. Here the student
sees the u of all tokens of its scale and learns the codes that the teacher makes of them,

    q(c | s, u) -> delta(c - c_teacher(s, u)),

and samples by taking the likeliest code. So draws within a scale are not independent, though each
is predicted by itself. The student has no likelihood of codes: q is a law given u, not of codes
alone. The map jumps where u crosses a value of F; a network can only approach that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic

import torch
from torch import Tensor, nn

from refine_core.embed import ContextT, Embed, StateT
from refine_core.noise import Noise, Stream
from refine_core.schedule import ScaleSchedule
from refine_core.tokens import Tokens

BINS = 16
"""Features of a number, see `hats`."""


@dataclass(frozen=True)
class Coupled(Generic[ContextT]):
    """A context, and the uniform numbers that codes are made of.

    Args:
        context: Of b samples; None where there is none.
        uniform: (b, n_k, g) for each scale of the student.
    """

    context: ContextT | None
    uniform: Sequence[Tensor]


class NoiseEmbed(Embed[StateT, Coupled[ContextT]], Generic[StateT, ContextT]):
    """An embedding whose tokens also carry the uniform numbers of their codes.

    Args:
        embed: The embedding of states and contexts.
        groups: Which scales of the teacher each of the student consists of, see `merged_scales`.
        teacher: The teacher's scales.
        digits: Digits g of a code.
        dim: Width of the tokens.
    """

    def __init__(
        self,
        embed: Embed[StateT, ContextT],
        groups: Sequence[range],
        teacher: ScaleSchedule,
        digits: int,
        dim: int,
    ) -> None:
        super().__init__()
        self.embed, self.groups, self.digits = embed, tuple(groups), digits
        self.widths = [scale.tokens for scale in teacher]
        self.enter = nn.ModuleList(nn.Linear(digits * BINS, dim) for _ in groups)

    def couple(self, noise: Noise, context: ContextT | None = None) -> Coupled[ContextT]:
        """The context with the numbers that the teacher would draw codes with."""
        found = [
            torch.cat(
                [noise.fork(k).uniform(Stream.CODES, self.widths[k], self.digits) for k in group],
                1,
            )
            for group in self.groups
        ]
        return Coupled(context, found)

    def forward(self, state: StateT, k: int, context: Coupled[ContextT] | None = None) -> Tokens:
        """Tokens of scale k with their numbers; a context is needed."""
        assert context is not None, "a coupled student is given its noise: see `couple`"
        tokens: Tokens = self.embed(state, k, context.context)
        told = self.enter[k](hats(context.uniform[k]).flatten(2))
        return replace(tokens, value=tokens.value + told)

    def condition(self, context: Coupled[ContextT] | None, count: int) -> Tensor | None:
        """As the embedding has it."""
        return self.embed.condition(None if context is None else context.context, count)

    def memory(self, context: Coupled[ContextT] | None, count: int) -> Tokens | None:
        """As the embedding has it."""
        return self.embed.memory(None if context is None else context.context, count)

    def drop(self, context: Coupled[ContextT], where: Tensor) -> Coupled[ContextT]:
        """As the embedding has it; the numbers stay."""
        if context.context is None:
            return context
        return replace(context, context=self.embed.drop(context.context, where))


def hats(uniform: Tensor) -> Tensor:
    """Piecewise linear features (..., 16) of numbers (...) in [0, 1), which sum to one."""
    centres = torch.linspace(0, 1, BINS, device=uniform.device)
    return (1 - (uniform[..., None] - centres).abs() * (BINS - 1)).clamp(min=0)
