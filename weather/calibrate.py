"""Calibration: the corrections of a step, fitted on the validation part by rolling out."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from refine_core.noise import Noise
from refine_core.progress import Progress
from weather.correction import Correction, smooth, waves
from weather.prepare import Prepared
from weather.refine import RefineHead
from weather.trained import WeatherModel
from weather.trial import Row, Trial, measure, power_of
from weather.windows import Windows

SETTLED = 4
"""Steps after which a change of `keep` shows fully in the variance of members."""
DRAWN = 540
"""Validation windows that gain and memory are fitted to."""
CLIMATE = 1024
"""Training states that the variance of the climate is taken from."""


def calibrate(
    model: WeatherModel,
    data: Prepared,
    *,
    temperature: tuple[float, ...] = (1.0,),
    rounds: int = 2,
    starts: int = 12,
    members: int = 10,
    steps: int = 10,
    seed: int = 0,
    quiet: bool = False,
) -> tuple[WeatherModel, list[Row]]:
    """The model with its corrections fitted, and a row for each way to sample that was measured.

    For each temperature, `gain` and `memory` are given the power and the correlation over a step
    of the mean's errors. From the best of these on, every round changes `keep` where members vary
    more or less than the climate, and the gain of each channel by its spread-skill ratios. Best is
    the least deviation from 1 of the worst ratio, of all channels and leads; among those under
    0.1, the lowest fair CRPS. In the end the gain alone is changed once more, from the best on.

    Args:
        model: To calibrate; changed, too. Its networks stay as they are.
        data: Its validation part is used, and the climate of its training part.
        temperature: To try, where the head draws codes.
        rounds: Of fitting by rolling out.
        starts: Initial times, spread evenly over the part.
        members: Of each ensemble.
        steps: To roll out.
        seed: Of the ensembles.
        quiet: Whether to show nothing.

    Raises:
        InputError: The validation part is shorter than `steps`.
    """
    correction, climate = model.forecaster.correction, know_climate(model, data)
    heats = temperature if isinstance(model.forecaster.head, RefineHead) else (1.0,)
    trials: list[Trial] = []
    with Progress("calibration", len(heats) + rounds + 1, quiet=quiet) as progress:

        def judge(heat: float) -> Trial:
            set_temperature(model, heat)
            trial = measure(model, data, heat, climate, starts, members, steps, seed)
            trials.append(trial)
            progress.update(len(trials))
            progress.row(trial.row)
            return trial

        for heat in heats:
            fit_errors(set_temperature(model, heat), data, seed)
            judge(heat)
        trial = min(trials, key=lambda trial: trial.order)
        correction.load_state_dict(trial.correction)
        for _ in range(rounds):
            change = _fading(trial.power, climate).to(correction.keep)
            correction.keep.mul_(change).clamp_(0.5, 1.0)
            _centre(correction, trial)
            trial = judge(trial.temperature)
        best = min(trials, key=lambda trial: trial.order)
        correction.load_state_dict(best.correction)
        _centre(correction, best)
        judge(best.temperature)
    best = min(trials, key=lambda trial: trial.order)
    correction.load_state_dict(best.correction)
    return set_temperature(model, best.temperature), [trial.row for trial in trials]


def set_temperature(model: WeatherModel, temperature: float) -> WeatherModel:
    """The same networks, drawn from at a temperature; the given model is changed too."""
    head = replace(model.config.head, temperature=(temperature,))
    if isinstance(model.forecaster.head, RefineHead):
        model.forecaster.head.temperature = head.temperature
    return replace(model, config=replace(model.config, head=head))


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
    return smooth(power_of(states - correction.climatology(data.times[chosen])))


@torch.no_grad()
def fit_errors(model: WeatherModel, data: Prepared, seed: int) -> None:
    """Give drawn residuals the power of the mean's errors, and their memory of the last step.

    What was fitted before is forgotten.
    """
    forecaster, correction = model.forecaster, model.forecaster.correction
    correction.keep.fill_(1)
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
    power = smooth(error.abs().square().mean(0))
    correction.gain.copy_((power / smooth(drawn / len(index)).clamp_min(1e-12)).sqrt())
    # Pairs of windows one step apart.
    times = data.times[windows.starts[index.numpy()]]
    step = np.timedelta64(data.data.step_hours, "h")
    place = np.searchsorted(times, times + step).clip(max=len(times) - 1)
    first = np.flatnonzero(times[place] == times + step)
    if not len(first):
        return
    product = (error[first] * error[place[first]].conj()).real.mean(0)
    # Of a channel and a wavenumber: rows are too few to tell.
    related = smooth(product).sum(1, keepdim=True) / power.sum(1, keepdim=True).clamp_min(1e-12)
    correction.memory.copy_(related.clamp(0.0, 0.9).expand_as(power))


def _centre(correction: Correction, trial: Trial) -> None:
    """Bring the middle of each channel's spread-skill ratios to 1: the worst lead is least."""
    middle = np.sqrt(trial.ratios.min(0) * trial.ratios.max(0)).clip(0.5, 2.0)
    correction.gain.div_(torch.from_numpy(middle).to(correction.gain)[:, None, None])


def _fading(power: Tensor, climate: Tensor) -> Tensor:
    """(C, H, M) factor of `keep`: a step's share of what the variance at late leads is too much.

    Early on, members differ too little yet for their variance to tell.
    """
    share = 2 * torch.arange(1, len(power) + 1).clamp(max=SETTLED)[:, None, None, None]
    excess = smooth(power).clamp_min(1e-12).log() - climate.clamp_min(1e-12).log()
    return (-excess / share)[len(power) // 2 :].mean(0).exp()
