"""What calibration takes from single steps of the validation part, without rolling out."""

import numpy as np
import torch
from torch import Tensor

from refine_core.noise import Noise
from weather.calibration.candidate import power_of
from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.forecaster.correction import excess, smooth, waves
from weather.model import WeatherModel

DRAWN = 540
"""Validation windows that gain and memory are fitted to."""
CLIMATE = 1024
"""Training states that the variance of the climate is taken from."""


def know_climate(model: WeatherModel, data: Prepared) -> Tensor:
    """Give the model its climatology; return (C, H, M) the power of departures from it."""
    correction = model.forecaster.correction
    coefficients = torch.from_numpy(data.climatology).to(correction.climate)
    correction.climate.zero_()
    correction.climate[: len(coefficients)] = coefficients / model.std[:, None, None]
    correction.climate[0] -= (model.mean / model.std)[:, None, None]
    index = data.starts("train")
    chosen = index[:: max(1, len(index) // CLIMATE)]
    states = model.normalise(torch.from_numpy(np.asarray(data.states[chosen])))
    return power_of(states - correction.climatology(data.times[chosen]))


@torch.no_grad()
def fit_errors(model: WeatherModel, data: Prepared, climate: Tensor, seed: int) -> None:
    """Give drawn residuals the power of the mean's errors, and their memory of the last step.

    The pace is how large these errors are beside departures of power `climate` (C, H, M): errors
    grow about evenly, step by step, until they are as large. What was fitted before is forgotten.
    """
    forecaster, correction = model.forecaster, model.forecaster.correction
    correction.keep.fill_(1)
    correction.first.fill_(1)
    correction.memory.zero_()
    windows = Windows(data, "validation")
    index = torch.arange(0, len(windows), max(1, len(windows) // DRAWN))
    errors, drawn = [], torch.zeros(())
    for part in index.split(32):
        given, future, _ = forecaster.mean.prepare(windows[part], Noise(seed, part))
        mean, residual = forecaster.draw(given, Noise(seed, part))
        errors.append(waves(future - mean))
        drawn = drawn + waves(residual).abs().square().sum(0)
    error = torch.cat(errors)
    power = error.abs().square().mean(0)
    correction.pace.copy_(excess(power, climate).div(2).exp().clamp(max=1))
    correction.gain.copy_(excess(power, drawn / len(index)).div(2).exp())
    # Pairs of windows one step apart.
    times = data.times[windows.starts[index.numpy()]]
    step = np.timedelta64(data.config.step_hours, "h")
    place = np.searchsorted(times, times + step).clip(max=len(times) - 1)
    first = np.flatnonzero(times[place] == times + step)
    if not len(first):
        return
    product = (error[first] * error[place[first]].conj()).real.mean(0)
    # Of a channel and a wavenumber: rows are too few to tell.
    related = product.sum(1, keepdim=True) / power.sum(1, keepdim=True).clamp_min(1e-12)
    correction.memory.copy_(smooth(related).clamp(0.0, 0.9).expand_as(power))
