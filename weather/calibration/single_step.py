"""The part of a correction that single steps determine, without rolling out."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.forecaster.correction import local_ratio, log_power_ratio, smooth, zonal_waves
from weather.model import WeatherModel

Index = NDArray[np.int64]
WINDOWS = 540
"""Validation windows that gain and memory are fitted to."""


@torch.no_grad()
def fit_single_step(model: WeatherModel, data: Prepared, seed: int) -> None:
    """Give sampled residuals the size, the power and the persistence of the mean's errors.

    What was fitted before is reset.
    """
    forecaster, correction = model.forecaster, model.forecaster.correction
    correction.reset()
    windows = Windows(data, "validation")
    index = torch.arange(0, len(windows), max(1, len(windows) // WINDOWS))

    def pairs() -> Iterator[tuple[Tensor, Tensor]]:
        """Errors (b, C, H, W) of the mean, and what was drawn about it, always the same."""
        for batch, noise in windows.batches(index, forecaster.device, size=32, seed=seed):
            given, future, _ = forecaster.mean.unpack(batch, noise)
            mean, drawn = forecaster.sample(given, noise)
            yield future - mean, drawn

    first, second = _pairs(data, windows.starts[index.numpy()])
    before = dict(zip(second.tolist(), first.tolist(), strict=True))
    sampled, power, product = (torch.zeros_like(correction.gain) for _ in range(3))
    followed, place = set(first.tolist()), 0
    # Errors by place, until that of one step later is known.
    waiting: dict[int, Tensor] = {}
    for errors, drawn in pairs():
        sampled += zonal_waves(drawn).abs().square().sum(0)
        for error in zonal_waves(errors):
            power += error.abs().square()
            if place in before:
                product += (waiting.pop(before[place]) * error.conj()).real
            if place in followed:
                waiting[place] = error
            place += 1
    power /= len(index)
    correction.gain.copy_(log_power_ratio(power, sampled / len(index)).div(2).exp())
    if len(first):
        # By channel and wavenumber: there are too few windows to tell latitudes apart.
        related = (product / len(first)).sum(1, keepdim=True)
        related /= power.sum(1, keepdim=True).clamp_min(1e-12)
        correction.memory.copy_(smooth(related).clamp(0.0, 0.9).expand_as(power))

    sizes = [torch.zeros_like(correction.local) for _ in range(2)]
    for errors, drawn in pairs():
        for total, maps in zip(sizes, (errors, correction.residual(drawn, None)[0]), strict=True):
            total += maps.square().sum(0)
    correction.local.copy_(local_ratio(*sizes))


def _pairs(data: Prepared, starts: Index) -> tuple[Index, Index]:
    """Places of starts, and of those one step later."""
    times = data.times[starts]
    later = times + np.timedelta64(data.config.step_hours, "h")
    place = np.searchsorted(times, later).clip(max=len(times) - 1)
    first = np.flatnonzero(times[place] == later)
    return first, place[first]
