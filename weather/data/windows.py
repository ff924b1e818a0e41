"""Windows of time to train on: the input of a step, and the states that follow."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from refine_core.noise import Noise
from refine_core.training.data import Batch
from weather.data.prepared import Prepared
from weather.data.time_parts import Part
from weather.fields.times import clock

AT_ONCE = 2**28
"""Bytes of windows that are computed at once, if they are not those of a training step."""


class Windows:
    """`refine_core.training.data.Data` of past and future states, normalised by mean and std.

    A batch is

    - past (b, history, S, H, W) of the S channels of a state, the latest last;
    - future (b, steps, C, H, W);
    - forcing (b, steps, F, H, W) at the time of each future state;
    - clock (b, steps, 4) at the start of each step.

    Args:
        prepared: The data. Cells without values are given as zero, the mean.
        part: The part of them to take windows from.
        steps: Future states.
    """

    def __init__(self, prepared: Prepared, part: Part, steps: int = 1) -> None:
        self.prepared = prepared
        self.starts = prepared.starts(part, steps)
        self._past = prepared.stride * np.arange(1 - prepared.config.history, 1)
        self._future = prepared.stride * np.arange(1, steps + 1)
        known = prepared.statistics
        self._states = _scale(known.mean, known.std)
        self._forcing = _scale(known.forcing_mean, known.forcing_std)

    def __len__(self) -> int:
        """Count of starts."""
        return len(self.starts)

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Past, future, forcing and clock of the starts at `index` (b,) int64."""
        start = self.starts[index.numpy()][:, None]
        masked = bool(self.prepared.config.masked)
        states = _read(self.prepared.states, start + self._span, self._states, masked)
        past, future = states.split([len(self._past), len(self._future)], 1)
        past = past[:, :, : len(self.prepared.config.state_channels)]
        if self.prepared.forcing is None:
            forcing = future.new_empty(*future.shape[:2], 0, *future.shape[3:])
        else:
            forcing = _read(self.prepared.forcing, start + self._future, self._forcing, masked)
        begin = start + self._future - self.prepared.stride
        when = clock(self.prepared.times[begin.ravel()])
        return past, future, forcing, torch.from_numpy(when).view(*begin.shape, 4)

    def evenly(self, count: int) -> Tensor:
        """Indices of at most `count` windows, spread evenly over the part."""
        count = min(count, len(self))
        return torch.linspace(0, len(self) - 1, count, dtype=torch.float64).round().long()

    def within(self, nbytes: int) -> int:
        """Count of windows, one or more, that take at most so many bytes."""
        forcing = self.prepared.config.forcing
        maps = len(self._span) * len(self.prepared.channels) + len(self._future) * len(forcing)
        return max(1, nbytes // (4 * maps * math.prod(self.prepared.grid.shape)))

    def batches(
        self, index: Tensor, device: torch.device, *, size: int = 64, seed: int = 0
    ) -> Iterator[tuple[Batch, Noise]]:
        """The windows at `index` on a device, each with its own noise.

        `size` at a time, or fewer, so that they take at most `AT_ONCE` bytes.
        """
        for part in index.split(min(size, self.within(AT_ONCE))):
            windows = tuple(each.to(device) for each in self[part])
            yield windows, Noise(seed, part.to(device))

    @property
    def _span(self) -> NDArray[np.int64]:
        return np.concatenate([self._past, self._future])


def _scale(mean: NDArray[np.float64], std: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    shift, factor = (torch.from_numpy(x).float()[:, None, None] for x in (mean, 1 / std))
    return shift, factor


def _read(
    maps: NDArray[np.float32],
    rows: NDArray[np.int64],
    scale: tuple[Tensor, Tensor],
    masked: bool,
) -> Tensor:
    """Normalised maps (b, n, C, H, W) at `rows` (b, n)."""
    shift, factor = scale
    read = torch.from_numpy(np.take(maps, rows, axis=0)).sub_(shift).mul_(factor)
    return read.nan_to_num_(0.0) if masked else read
