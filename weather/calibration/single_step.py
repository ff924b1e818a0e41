"""The part of a correction that single steps determine, without rolling out."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.forecaster.correction import log_power_ratio, smooth, zonal_power, zonal_waves
from weather.model import WeatherModel

Index = NDArray[np.int64]
WINDOWS = 540
"""Validation windows that gain, pace and memory are fitted to."""
CLIMATE = 1024
"""Training states that the variance of the climate is measured on."""


def set_climatology(model: WeatherModel, data: Prepared) -> Tensor:
    """Give the model the climatology of the data; return (C, H, M) the power about it."""
    correction = model.forecaster.correction
    coefficients = torch.from_numpy(data.climatology) / model.std[:, None, None]
    coefficients[0] -= (model.mean / model.std)[:, None, None]
    correction.climate.zero_()
    correction.climate[: len(coefficients)] = coefficients.to(correction.climate)
    index = data.starts("train")
    chosen = index[:: max(1, len(index) // CLIMATE)]
    states = model.normalise(torch.from_numpy(np.asarray(data.states[chosen])))
    return zonal_power(states - correction.climatology(data.times[chosen]).to(states))


@torch.no_grad()
def fit_single_step(model: WeatherModel, data: Prepared, climate: Tensor, seed: int) -> None:
    """Give sampled residuals the power and the persistence of the mean's errors.

    The pace is the size of these errors, relative to departures of power `climate` (C, H, M):
    errors grow by about as much at each step, until they are as large. What was fitted before is
    reset.
    """
    forecaster, correction = model.forecaster, model.forecaster.correction
    correction.keep.fill_(1)
    correction.first.fill_(1)
    correction.memory.zero_()
    windows = Windows(data, "validation")
    index = torch.arange(0, len(windows), max(1, len(windows) // WINDOWS))
    errors, sampled = [], torch.zeros_like(correction.gain)
    for batch, noise in windows.batches(index, forecaster.device, size=32, seed=seed):
        given, future, _ = forecaster.mean.unpack(batch, noise)
        mean, residual = forecaster.sample(given, noise)
        errors.append(zonal_waves(future - mean))
        sampled += zonal_waves(residual).abs().square().sum(0)
    error = torch.cat(errors)
    power = error.abs().square().mean(0)
    correction.pace.copy_(log_power_ratio(power, climate.to(power)).div(2).exp().clamp(max=1))
    correction.gain.copy_(log_power_ratio(power, sampled / len(index)).div(2).exp())
    first, second = _pairs(data, windows.starts[index.numpy()])
    if len(first):
        product = (error[first] * error[second].conj()).real.mean(0)
        # By channel and wavenumber: there are too few windows to tell latitudes apart.
        related = product.sum(1, keepdim=True) / power.sum(1, keepdim=True).clamp_min(1e-12)
        correction.memory.copy_(smooth(related).clamp(0.0, 0.9).expand_as(power))


def _pairs(data: Prepared, starts: Index) -> tuple[Index, Index]:
    """Places of starts, and of those one step later."""
    times = data.times[starts]
    later = times + np.timedelta64(data.config.step_hours, "h")
    place = np.searchsorted(times, later).clip(max=len(times) - 1)
    first = np.flatnonzero(times[place] == later)
    return first, place[first]
