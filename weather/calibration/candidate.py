"""Candidates of a calibration, scored by rolling out from the validation part."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import Tensor

from refine_core.app.processes.workers import map_in_workers
from refine_core.errors import InputError
from weather.data.prepared import Maps, Prepared
from weather.fields.arrays import Array
from weather.metrics.ensemble import crps, predicted_square, spread_skill, variance
from weather.metrics.spectra import zonal_power
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
        places = np.linspace(0, len(part) - 1, self.starts).round().astype(int)  # some twice
        return [int(start) for start in part[places]]


@dataclass(frozen=True)
class Candidate:
    """Validation scores of one calibration candidate.

    Args:
        row: Scores by name.
        temperature: Temperature of the head, one or one per scale.
        correction: Buffers of the correction.
        ratios: (steps, C) spread-skill ratios.
        waves: (steps, C, W // 2 + 1) those of each zonal wavenumber.
    """

    row: Row
    temperature: tuple[float, ...]
    correction: dict[str, Tensor]
    ratios: Array
    waves: Array

    @property
    def order(self) -> tuple[float, float]:
        """Sorts candidates, the best first."""
        return max(self.row["worst"], NEAR), self.row["crps"]


def score(model: WeatherModel, data: Prepared, rollouts: RolloutConfig) -> Candidate:
    """Score a model as it is now. The CRPS is fair, in climatological standard deviations.

    Starts are shared by processes, as members of a forecast are.

    Args:
        model: With the correction and the temperature of the candidate.
        data: Its validation part is used.
        rollouts: The ensembles.

    Raises:
        InputError: The validation part is shorter than the roll-outs.
    """
    chosen = rollouts.choose(data)
    work, device = partial(_score_start, model, rollouts), model.forecaster.device.type
    given = (_given(data, start, rollouts.steps) for start in chosen)
    made = list(map_in_workers(work, given, len(chosen), device=device))
    crpss, *squares = (np.stack(part) for part in zip(*made, strict=True))
    predicted, errors, *waves = (square.mean(0) for square in squares)
    ratios = spread_skill(predicted, errors)
    temperature = model.config.head.temperature
    row = {
        "crps": float((crpss.mean((0, 1)) / model.std.numpy()).mean()),
        "spread_skill": float(ratios.mean()),
        "worst": float(np.abs(ratios - 1).max()),
    }
    row |= {f"temperature_{k + 1}": value for k, value in enumerate(temperature)}
    row |= {f"spread_skill_{k + 1}": float(ratio) for k, ratio in enumerate(ratios.mean(1))}
    buffers = {k: v.clone() for k, v in model.forecaster.correction.state_dict().items()}
    return Candidate(row, temperature, buffers, ratios, spread_skill(*waves))


_Given = tuple[Maps, np.datetime64, Maps | None, Maps]
"""Initial states (history, S, H, W), their time, forcing (steps, F, H, W), and what followed
(steps, C, H, W)."""


def _given(data: Prepared, start: int, steps: int) -> _Given:
    """What an ensemble starts from, and is compared with."""
    history = start + data.stride * np.arange(1 - data.config.history, 1)
    past = np.asarray(data.states[history, : len(data.config.state_channels)])
    valid = start + data.stride * np.arange(1, steps + 1)
    forcing = None if data.forcing is None else np.asarray(data.forcing[valid])
    # Cells without values are alike in members and truth.
    return past, data.times[start], forcing, np.nan_to_num(data.states[valid])


def _score_start(model: WeatherModel, rollouts: RolloutConfig, given: _Given) -> tuple[Array, ...]:
    """Fair CRPS, predicted and found square error of the ensemble's mean, (steps, C) each.

    Then both squares by zonal wavenumber, (steps, C, W // 2 + 1) each.
    """
    past, time, forcing, truth = given
    members, area = rollouts.members, model.grid.area()[:, None]
    states = model.rollout(
        past,
        time,
        members=members,
        steps=rollouts.steps,
        seed=rollouts.seed,
        forcing=forcing,
    )
    rows = list[list[Array]]()
    for state, expected in zip(states, truth, strict=True):
        ensemble = np.nan_to_num(state.values.numpy())
        mean = ensemble.mean(0)
        spread = predicted_square(variance(ensemble), members)
        maps = (crps(ensemble, expected), spread, np.square(mean - expected))
        waves = zonal_power(ensemble - mean).sum(0) / (members - 1)
        powers = (predicted_square(waves, members), zonal_power(mean - expected))
        rows.append(
            [(each * area).mean((1, 2)) for each in maps]
            + [(each * area).mean(1) for each in powers]
        )
    return tuple(np.stack(part) for part in zip(*rows, strict=True))
