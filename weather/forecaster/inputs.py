"""The input of one step of a forecast, and the context that a head gets."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

CLOCK = 4
"""Sines and cosines of the time of day and of the year."""


@dataclass(frozen=True)
class StepInput:
    """Input of one step; maps are normalised.

    Args:
        past: (b, history, S, H, W) of the S channels of a state, the latest last.
        forcing: (b, F, H, W) at the time of the next state.
        clock: (b, 4), see `weather.fields.times.clock`.
    """

    past: Tensor
    forcing: Tensor
    clock: Tensor

    @property
    def latest(self) -> Tensor:
        """(b, S, H, W)."""
        return self.past[:, -1]

    def rotated(self, shift: Tensor) -> "StepInput":
        """Rotated around the globe by `shift` (b,) columns."""
        return replace(self, past=rotate(self.past, shift), forcing=rotate(self.forcing, shift))


@dataclass(frozen=True)
class HeadContext:
    """All that is known of the next state before its residual is sampled.

    Args:
        maps: (b, M, H, W): past states, forcing, static fields, and the change that the mean
            predicts.
        hidden: (b, n, d) hidden states of the mean's transformer.
        clock: (b, 4).
    """

    maps: Tensor
    hidden: Tensor
    clock: Tensor

    def expanded(self, count: int) -> "HeadContext":
        """The context of one sample, for `count` members."""
        parts = (self.maps, self.hidden, self.clock)
        return HeadContext(*(part.expand(count, *part.shape[1:]) for part in parts))


def rotate(maps: Tensor, shift: Tensor) -> Tensor:
    """Maps (b, ..., W) rolled by `shift` (b,) columns to the east.

    >>> rotate(torch.tensor([[1, 2, 3], [1, 2, 3]]), torch.tensor([0, 1])).tolist()
    [[1, 2, 3], [3, 1, 2]]
    """
    wide = maps.shape[-1]
    column = (torch.arange(wide, device=maps.device) - shift[:, None]) % wide
    column = column.reshape(len(maps), *[1] * (maps.ndim - 2), wide)
    return maps.gather(-1, column.expand_as(maps))
