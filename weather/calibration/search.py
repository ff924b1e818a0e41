"""Calibration: the corrections of a step, fitted on the validation part by rolling out."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from refine_core.app.progress import Progress
from weather.calibration.candidate import Row, Trial, measure
from weather.calibration.single_step import fit_errors, know_climate
from weather.data.prepared import Prepared
from weather.forecaster.correction import Correction, excess
from weather.forecaster.refinement import RefineHead
from weather.model import WeatherModel

SETTLED = 4
"""Steps after which a change of `keep` shows fully in the variance of members."""


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

    Temperatures are chosen for the scales of one size after the other, by the CRPS; for each
    choice, `gain`, `pace` and `memory` are taken from the mean's errors. From there on, every
    round changes `keep` where members vary more or less than the climate, and the gain of each
    channel, at the first step and later, by its spread-skill ratios. Best is the least deviation
    from 1 of the worst ratio, of all channels and leads; among those under 0.1, the lowest fair
    CRPS. In the end the gain alone is changed once more, from the best on.

    Args:
        model: To calibrate; changed, too. Its networks stay as they are.
        data: Its validation part is used, and the climate of its training part.
        temperature: To try, where the head draws codes; the first is what others start from.
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
    head, sizes = model.forecaster.head, [0]
    if isinstance(head, RefineHead):
        sizes = head.refiner.tokenizer.schedule.wholes
    else:
        temperature = (1.0,)
    others = [(size, heat) for size in sorted(set(sizes)) for heat in temperature[1:]]
    rows: list[Row] = []
    with Progress("calibration", 2 + len(others) + rounds, quiet=quiet) as progress:

        def judge(heat: tuple[float, ...]) -> Trial:
            heated = set_temperature(model, heat)
            trial = measure(heated, data, climate, starts, members, steps, seed)
            rows.append(trial.row)
            progress.update(len(rows))
            progress.row(trial.row)
            return trial

        def fitted(heat: tuple[float, ...]) -> Trial:
            fit_errors(set_temperature(model, heat), data, climate, seed)
            return judge(heat)

        trial = fitted(temperature[:1] * len(sizes))
        for size, heat in others:
            now = zip(sizes, trial.temperature, strict=True)
            changed = fitted(tuple(heat if other == size else old for other, old in now))
            trial = min(trial, changed, key=lambda trial: trial.row["crps"])
        correction.load_state_dict(trial.correction)
        trials = [trial]
        for _ in range(rounds):
            change = _fading(trials[-1].power, climate).to(correction.keep)
            correction.keep.mul_(change).clamp_(0.5, 1.0)
            _centre(correction, trials[-1])
            trials.append(judge(trial.temperature))
        best = min(trials, key=lambda trial: trial.order)
        correction.load_state_dict(best.correction)
        _centre(correction, best)
        trials.append(judge(trial.temperature))
    best = min(trials, key=lambda trial: trial.order)
    correction.load_state_dict(best.correction)
    return set_temperature(model, best.temperature), rows


def set_temperature(model: WeatherModel, temperature: tuple[float, ...]) -> WeatherModel:
    """The same networks, drawn from at one temperature or one per scale; `model` changes too."""
    head = replace(model.config.head, temperature=temperature)
    if isinstance(model.forecaster.head, RefineHead):
        model.forecaster.head.temperature = temperature
    return replace(model, config=replace(model.config, head=head))


def _centre(correction: Correction, trial: Trial) -> None:
    """Bring each channel's spread-skill ratio to 1 at the first lead, and the others' middle."""
    later = trial.ratios[1:] if len(trial.ratios) > 1 else trial.ratios
    first = trial.ratios[0].clip(0.5, 2.0)
    middle = np.sqrt(later.min(0) * later.max(0)).clip(0.5, 2.0)
    for buffer, factor in ((correction.gain, 1 / middle), (correction.first, middle / first)):
        buffer.mul_(torch.from_numpy(factor).to(buffer)[:, None, None])


def _fading(power: Tensor, climate: Tensor) -> Tensor:
    """(C, H, M) factor of `keep`: a step's share of what the variance at late leads is too much.

    Early on, members differ too little yet for their variance to tell.
    """
    share = 2 * torch.arange(1, len(power) + 1).clamp(max=SETTLED)[:, None, None, None]
    return (-excess(power, climate) / share)[len(power) // 2 :].mean(0).exp()
