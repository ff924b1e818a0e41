"""A way to sample, measured by rolling out from the validation part."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from refine_core.errors import InputError
from weather.data.prepared import Prepared
from weather.forecaster.correction import waves
from weather.metrics.ensemble import crps, promised_square, spread_skill, variance
from weather.model import WeatherModel

Row = dict[str, float]
NEAR = 0.1
"""Deviation of a spread-skill ratio from 1 that is good enough."""


@dataclass(frozen=True)
class Trial:
    """A way to sample, measured.

    Args:
        row: Scores.
        temperature: Of the head, one or one per scale.
        correction: Its buffers.
        ratios: (steps, C) spread-skill ratios.
        power: (steps, C, H, M) of the members' departures from climatology.
    """

    row: Row
    temperature: tuple[float, ...]
    correction: dict[str, Tensor]
    ratios: NDArray[np.floating[Any]]
    power: Tensor

    @property
    def order(self) -> tuple[float, float]:
        """Less is better."""
        return max(self.row["worst"], NEAR), self.row["crps"]


def measure(
    model: WeatherModel,
    data: Prepared,
    climate: Tensor,
    starts: int,
    members: int,
    steps: int,
    seed: int,
) -> Trial:
    """Roll the model out from the validation part.

    The CRPS is fair, in climatological standard deviations.

    Raises:
        InputError: The part is shorter than `steps`, or these are too few to measure.
    """
    if starts < 1 or members < 2 or steps < 1:
        raise InputError(
            f"Found {starts} starts of {members} members and {steps} steps, expected one start, "
            "two members and one step, or more."
        )
    part, stride = data.starts("validation", steps), data.stride
    if not len(part):
        raise InputError(
            f"The validation part holds no {steps} steps of {data.config.step_hours} h on end: "
            "roll out fewer (--steps), or give it more days."
        )
    chosen = part[np.linspace(0, len(part) - 1, starts).round().astype(int)]
    area = data.grid.area()[:, None]
    history = stride * np.arange(1 - data.config.history, 1)
    shape = (len(chosen), steps, len(model.channels))
    total, promised, errors = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    power = torch.zeros(steps, *climate.shape)
    for i, start in enumerate(chosen):
        past = np.asarray(data.states[start + history])
        states = model.rollout(past, data.times[start], members=members, steps=steps, seed=seed)
        for k, state in enumerate(states):
            truth = np.asarray(data.states[start + stride * (k + 1)])
            ensemble = state.values.numpy()
            total[i, k] = (crps(ensemble, truth) * area).mean((1, 2))
            spread = promised_square(variance(ensemble), members)
            promised[i, k] = (spread * area).mean((1, 2))
            errors[i, k] = (np.square(ensemble.mean(0) - truth) * area).mean((1, 2))
            usual = model.forecaster.correction.climatology(np.atleast_1d(state.time))
            power[k] += power_of(model.normalise(state.values) - usual) / len(chosen)
    ratios = spread_skill(promised.mean(0), errors.mean(0))
    score = {
        "crps": float((total.mean((0, 1)) / model.std.numpy()).mean()),
        "spread_skill": float(ratios.mean()),
        "worst": float(np.abs(ratios - 1).max()),
        "variance": float((power[-1].sum((1, 2)) / climate.sum((1, 2))).mean()),
    }
    temperature = model.config.head.temperature
    score |= {f"temperature_{k + 1}": heat for k, heat in enumerate(temperature)}
    score |= {f"spread_skill_{k + 1}": float(ratio) for k, ratio in enumerate(ratios.mean(1))}
    buffers = {k: v.clone() for k, v in model.forecaster.correction.state_dict().items()}
    return Trial(score, temperature, buffers, ratios, power)


def power_of(maps: Tensor) -> Tensor:
    """(C, H, W // 2 + 1) mean power of the zonal waves of maps (b, C, H, W)."""
    return waves(maps).abs().square().mean(0)
