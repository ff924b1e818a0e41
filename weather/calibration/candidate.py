"""Candidates of a calibration, scored by rolling out from the validation part."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from refine_core.errors import InputError
from weather.data.prepared import Prepared
from weather.fields.arrays import Array
from weather.metrics.ensemble import crps, predicted_square, spread_skill, variance
from weather.model import WeatherModel

Row = dict[str, float]
NEAR = 0.1
"""Deviation of a spread-skill ratio from 1 that is good enough."""


@dataclass(frozen=True)
class RolloutConfig:
    """The ensembles that every candidate is scored by.

    Args:
        starts: Number of initial times, spread evenly over the validation part.
        members: Number of members of each ensemble.
        steps: Number of model steps in each forecast.
        seed: Seed of the ensembles.

    Raises:
        InputError: They are too few to score an ensemble.
    """

    starts: int = 12
    members: int = 10
    steps: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.starts < 1 or self.members < 2 or self.steps < 1:
            raise InputError(
                f"Found {self.starts} starts of {self.members} members and {self.steps} steps, "
                "expected one start, two members and one step, or more."
            )

    def choose(self, data: Prepared) -> list[int]:
        """Indices of the initial states.

        Raises:
            InputError: The validation part is shorter than the roll-outs.
        """
        part = data.starts("validation", self.steps)
        if not len(part):
            raise InputError(
                f"The validation part holds no {self.steps} steps of {data.config.step_hours} h "
                "on end: roll out fewer (--steps), or give it more days."
            )
        chosen = np.linspace(0, len(part) - 1, self.starts).round().astype(int)
        return [int(start) for start in part[chosen]]


@dataclass(frozen=True)
class Candidate:
    """Validation scores of one calibration candidate.

    Args:
        row: Scores by name.
        temperature: Temperature of the head, one or one per scale.
        correction: Buffers of the correction.
        ratios: (steps, C) spread-skill ratios.
    """

    row: Row
    temperature: tuple[float, ...]
    correction: dict[str, Tensor]
    ratios: Array

    @property
    def order(self) -> tuple[float, float]:
        """Sorts candidates, the best first."""
        return max(self.row["worst"], NEAR), self.row["crps"]


def score(model: WeatherModel, data: Prepared, rollouts: RolloutConfig) -> Candidate:
    """Score a model as it is now. The CRPS is fair, in climatological standard deviations.

    Args:
        model: With the correction and the temperature of the candidate.
        data: Its validation part is used.
        rollouts: The ensembles.

    Raises:
        InputError: The validation part is shorter than the roll-outs.
    """
    chosen, stride, area = rollouts.choose(data), data.stride, data.grid.area()[:, None]
    history = stride * np.arange(1 - data.config.history, 1)
    shape = (len(chosen), rollouts.steps, len(model.channels))
    total, predicted, errors = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for i, start in enumerate(chosen):
        past = np.asarray(data.states[start + history, : len(data.config.state_channels)])
        states = model.rollout(
            past,
            data.times[start],
            members=rollouts.members,
            steps=rollouts.steps,
            seed=rollouts.seed,
        )
        for k, state in enumerate(states):
            truth = np.asarray(data.states[start + stride * (k + 1)])
            ensemble = state.values.numpy()
            spread = predicted_square(variance(ensemble), rollouts.members)
            square = np.square(ensemble.mean(0) - truth)
            total[i, k] = (crps(ensemble, truth) * area).mean((1, 2))
            predicted[i, k] = (spread * area).mean((1, 2))
            errors[i, k] = (square * area).mean((1, 2))
    ratios = spread_skill(predicted.mean(0), errors.mean(0))
    temperature = model.config.head.temperature
    row = {
        "crps": float((total.mean((0, 1)) / model.std.numpy()).mean()),
        "spread_skill": float(ratios.mean()),
        "worst": float(np.abs(ratios - 1).max()),
    }
    row |= {f"temperature_{k + 1}": value for k, value in enumerate(temperature)}
    row |= {f"spread_skill_{k + 1}": float(ratio) for k, ratio in enumerate(ratios.mean(1))}
    buffers = {k: v.clone() for k, v in model.forecaster.correction.state_dict().items()}
    return Candidate(row, temperature, buffers, ratios)
