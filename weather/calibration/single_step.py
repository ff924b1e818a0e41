"""The part of a correction that single steps determine, without rolling out."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.forecaster.correction import (
    drizzle,
    local_ratio,
    log_power_ratio,
    slopes,
    smooth,
    zonal_waves,
)
from weather.io.values import BUDGET
from weather.model import WeatherModel

Index = NDArray[np.int64]
WINDOWS, RUN = 540, 60
"""Validation windows that gain and memory are fitted to, and how many of them follow each other
at least, for memory is from one to the next."""


@torch.no_grad()
def fit_single_step(model: WeatherModel, data: Prepared, seed: int) -> None:
    """Regress the mean, and give sampled residuals the size, power and persistence of its errors.

    What was fitted before is reset.
    """
    forecaster, correction = model.forecaster, model.forecaster.correction
    correction.reset()
    windows = Windows(data, "validation")
    index = in_runs(len(windows))

    def pairs() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Next states (b, C, H, W), their mean, and what was drawn about it, always the same."""
        for batch, noise in windows.batches(index, forecaster.device, size=32, seed=seed):
            given, future, _ = forecaster.mean.unpack(batch, noise)
            mean, drawn = forecaster.sample(given, noise)
            yield future, correction.mean(mean), drawn

    _fit_slope(model, windows, index)
    first, second = _pairs(data, windows.starts[index.numpy()])
    before = dict(zip(second.tolist(), first.tolist(), strict=True))
    sampled, power, product = (torch.zeros_like(correction.gain) for _ in range(3))
    followed, place = set(first.tolist()), 0
    # Errors by place, until that of one step later is known.
    waiting: dict[int, Tensor] = {}
    for future, mean, drawn in pairs():
        sampled += zonal_waves(drawn).abs().square().sum(0)
        for error in zonal_waves(future - mean):
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
    only = slice(len(model.data.state_channels), None)  # nothing follows from these
    # Of few enough windows that they fit into memory at once.
    every = -(-3 * len(index) * correction.local[only].nbytes // BUDGET) or 1
    kept = list[tuple[Tensor, ...]]()
    for future, mean, drawn in pairs():
        residual, _ = correction.residual(drawn, None)
        for total, maps in zip(sizes, (future - mean, residual), strict=True):
            total += maps.square().sum(0)
        kept.append(tuple(maps[::every, only].clone() for maps in (future, mean, residual)))
    correction.local.copy_(local_ratio(*sizes))
    truth, means, residuals = (torch.cat(maps) for maps in zip(*kept, strict=True))
    made = means + correction.local[only] * residuals
    correction.drizzle[only] = drizzle(made, truth, forecaster.get_buffer("lower")[only])


def in_runs(count: int) -> Tensor:
    """Windows of `count` to fit to: all, or `WINDOWS` of them in runs spread evenly.

    >>> len(in_runs(400)), len(in_runs(541)), in_runs(1000).diff().unique().tolist()
    (400, 540, [1, 58, 59])
    """
    if count <= WINDOWS:
        return torch.arange(count)
    first = torch.linspace(0, count - RUN, WINDOWS // RUN, dtype=torch.float64).round().long()
    return (first[:, None] + torch.arange(RUN)).flatten()


def _fit_slope(model: WeatherModel, windows: Windows, index: Tensor) -> None:
    """Regress the next state on the mean, both as departures from the average state."""
    mean_of, correction = model.forecaster.mean, model.forecaster.correction
    maps = [torch.zeros_like(correction.centre, dtype=torch.float64) for _ in range(2)]
    product, power = (torch.zeros_like(correction.slope, dtype=torch.float64) for _ in range(2))
    for batch, noise in windows.batches(index, model.forecaster.device, size=32, seed=0):
        given, future, _ = mean_of.unpack(batch, noise)
        both = future, mean_of.predict(given, mean_of.context(given))
        for total, each in zip(maps, both, strict=True):
            total += each.sum(0)
        truth, known = (zonal_waves(each) for each in both)
        product += (truth * known.conj()).real.sum(0)
        power += known.abs().square().sum(0)
    count = len(index)
    centre, known = (zonal_waves(each / count) for each in maps)
    product -= count * (centre * known.conj()).real
    power -= count * (2 * centre * known.conj() - centre.abs().square()).real
    correction.centre.copy_(maps[0] / count)
    correction.slope.copy_(slopes(product, power))


def _pairs(data: Prepared, starts: Index) -> tuple[Index, Index]:
    """Places of starts, and of those one step later."""
    times = data.times[starts]
    later = times + np.timedelta64(data.config.step_hours, "h")
    place = np.searchsorted(times, later).clip(max=len(times) - 1)
    first = np.flatnonzero(times[place] == later)
    return first, place[first]
