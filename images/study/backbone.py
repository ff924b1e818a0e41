"""The backbone that all arms share: one transformer over one grid, told the time and the class.

Arms are matched: every one has the same `TransformerShape`, and `matched` chooses the hidden width
of its feed-forward layers so that all have the same number of trained parameters.
"""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from refine_core.config.ranges import PositiveInt
from refine_core.config.schema import config
from refine_core.errors import InputError
from refine_core.tokens import Tokens
from refine_core.training.step import trained_parameters
from refine_core.transformer import Transformer

Module = TypeVar("Module", bound=nn.Module)

TOLERANCE = 0.02
"""Largest difference of matched parameters, as a share of what was asked for."""


@config
class TransformerShape:
    """The transformer of every arm."""

    dim: PositiveInt = 128
    """Width, a multiple of `heads`."""
    depth: PositiveInt = 4
    """Count of blocks."""
    heads: PositiveInt = 4
    """Attention heads."""


class Backbone(nn.Module):
    """A grid of values, a time and a class to outputs for every cell.

    A convolution of 3 x 3 cells enters, as in `refine_core.grid.GridEmbed`, positions are
    learned, and the adaptive norms see the sum of a class vector and a perceptron of the time's
    sinusoids (DiT, arXiv 2212.09748).

    Args:
        shape: Of the transformer.
        size: (h, w) of the grid.
        inputs: Channels of the values.
        outputs: Channels of the outputs.
        classes: Count of classes.
        mlp: Hidden width of the feed-forward layers, as a multiple of the width.
    """

    FREQUENCIES = 64

    def __init__(
        self,
        shape: TransformerShape,
        size: tuple[int, int],
        inputs: int,
        outputs: int,
        classes: int,
        mlp: float = 4.0,
    ) -> None:
        super().__init__()
        dim = shape.dim
        self.classes, self.size = classes, size
        self.enter = nn.Conv2d(inputs, dim, 3, padding=1)
        self.position = nn.Parameter(0.02 * torch.randn(math.prod(size), dim))
        self.label = nn.Embedding(classes + 1, dim)
        self.time = nn.Sequential(
            nn.Linear(2 * self.FREQUENCIES, dim), nn.SiLU(), nn.Linear(dim, dim)
        )
        self.transformer = Transformer(dim, shape.depth, shape.heads, 1, dim, mlp=mlp)
        self.leave = nn.Linear(dim, outputs)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, values: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """Outputs (b, outputs, h, w), float32.

        Args:
            values: (b, inputs, h, w).
            time: (b,) in [0, 1].
            labels: (b,) int64; below zero is any class.
        """
        known = torch.where(labels < 0, self.classes, labels)
        condition = self.label(known) + self.time(sinusoids(time, self.FREQUENCIES))
        tokens = self.enter(values).flatten(2).transpose(1, 2) + self.position
        hidden = self.transformer(Tokens(tokens, condition=condition))
        out: Tensor = self.leave(hidden).transpose(1, 2).unflatten(2, self.size)
        return out.float()

    def guided(self, values: Tensor, time: Tensor, labels: Tensor, weight: float) -> Tensor:
        """(1 + w) conditional - w unconditional outputs, in one call of twice the batch.

        A weight of zero is the conditional call, and no more (arXiv 2207.12598).
        """
        if weight == 0:
            return self(values, time, labels)  # type: ignore[no-any-return]
        twice = torch.cat([labels, torch.full_like(labels, -1)])
        given, free = self(values.repeat(2, 1, 1, 1), time.repeat(2), twice).chunk(2)
        out: Tensor = (1 + weight) * given - weight * free
        return out


def sinusoids(time: Tensor, frequencies: int) -> Tensor:
    """Sines and cosines (b, 2 * frequencies) of times (b,) in [0, 1], of rates 1 to 1000.

    >>> sinusoids(torch.zeros(1), 2).tolist()
    [[0.0, 0.0, 1.0, 1.0]]
    """
    rates = torch.logspace(0, 3, frequencies, device=time.device)
    angles = time[:, None].float() * rates
    return torch.cat([angles.sin(), angles.cos()], 1)


def matched(build: Callable[[float], Module], parameters: int, dim: int) -> Module:
    """Build an arm whose trained parameters are as near to `parameters` as its width allows.

    Args:
        build: Makes the arm from the hidden width of its feed-forward layers, as a multiple of
            `dim` (`mlp` of `Transformer` and `Backbone`).
        parameters: How many are asked for.
        dim: Width of the transformer.

    Raises:
        InputError: The nearest count is more than 2 % off: the rest of the arm is too large.
    """
    with torch.random.fork_rng(devices=[]):
        least, slope = trained_parameters(build(1.5 / dim)), 0
        slope = trained_parameters(build(2.5 / dim)) - least
    hidden = max(1, 1 + round((parameters - least) / slope))
    module = build((hidden + 0.5) / dim)
    found = trained_parameters(module)
    if abs(found - parameters) > TOLERANCE * parameters:
        raise InputError(
            f"Found {found} parameters in the smallest step to the {parameters} asked for, "
            f"expected {TOLERANCE:.0%} of difference at most: ask for {least} or more."
        )
    return module
