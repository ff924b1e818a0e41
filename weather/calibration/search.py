"""Calibration: temperatures and corrections of a step, by rolling out on validation data."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from refine_core.app.progress import Progress
from refine_core.errors import InputError
from weather.calibration.candidate import Candidate, RolloutConfig, Row, score
from weather.calibration.single_step import fit_single_step
from weather.data.prepared import Prepared
from weather.fields.arrays import Array
from weather.forecaster.correction import Correction, smooth
from weather.forecaster.refinement import RefineHead
from weather.model import WeatherModel

Temperature = tuple[float, ...]
"""One for all scales, or one per scale."""


def calibrate(
    model: WeatherModel,
    data: Prepared,
    *,
    temperature: Temperature = (1.0,),
    rounds: int = 2,
    starts: int = 12,
    members: int = 10,
    steps: int = 10,
    seed: int = 0,
    quiet: bool = False,
) -> tuple[WeatherModel, list[Row]]:
    """Calibrate a model; return it, and a row of scores for each candidate.

    Temperatures are chosen for the scales of one size after the other, by the CRPS; for each
    choice, the correction is fitted to single steps. Then every round changes the gain of each
    channel and zonal wave by its spread-skill ratios, and of the first step. The best candidate
    has the least deviation from 1 of the worst ratio, of all channels and leads; among those
    under 0.1, the lowest fair CRPS.

    Args:
        model: The model to calibrate; it is changed, too. Its networks stay as they are.
        data: Its validation part is used.
        temperature: Temperatures to try, where the head samples codes; the first is where the
            search starts.
        rounds: Number of changes of the gain.
        starts: Number of initial times, spread evenly over the part.
        members: Number of members of each ensemble.
        steps: Number of model steps in each forecast.
        seed: Seed of the ensembles.
        quiet: Whether to show no progress.

    Raises:
        InputError: The model is deterministic, the data do not fit it, their validation part is
            shorter than `steps`, or a number is out of its range.

    >>> from dataclasses import replace
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import weather
    >>> from weather.samples import STATES
    >>> early = {"source": str(STATES), "gap_days": 4, "train": ("2019-11-01", "2019-11-20")}
    >>> late = {"validation": ("2019-11-25", "2019-12-05"), "test": ("2019-12-10", "2019-12-20")}
    >>> model = weather.load("gcm")
    >>> config = replace(model.config.data, **early, **late)
    >>> with TemporaryDirectory() as folder:
    ...     data = weather.prepare(config, Path(folder), quiet=True)
    ...     few = {"rounds": 0, "starts": 1, "members": 2, "steps": 1}  # for a look
    ...     model, rows = weather.calibrate(model, data, **few, quiet=True)
    >>> len(rows), sorted(rows[0])[:2]
    (1, ['crps', 'spread_skill'])
    """
    rollouts = RolloutConfig(starts, members, steps, seed)
    data = _checked(model, data, temperature, rounds, rollouts)
    sizes, temperatures = [0], temperature[:1]
    if isinstance(model.forecaster.head, RefineHead):
        sizes, temperatures = model.forecaster.head.tokenizer.schedule.wholes, temperature
    count = 1 + len(set(sizes)) * len(temperatures[1:]) + rounds
    with Progress("calibration", count, quiet=quiet) as progress:
        search = _Search(model, data, rollouts, progress)
        candidates = [search.choose_temperature(sizes, temperatures)]
        for _ in range(rounds):
            candidates.append(search.adjust(candidates[-1]))
    best = min(candidates, key=lambda candidate: candidate.order)
    model.forecaster.correction.load_state_dict(best.correction)
    return set_temperature(model, best.temperature), search.rows


def set_temperature(model: WeatherModel, temperature: Temperature) -> WeatherModel:
    """The same networks, sampled at another temperature; `model` changes too."""
    head = replace(model.config.head, temperature=temperature)
    if isinstance(model.forecaster.head, RefineHead):
        model.forecaster.head.set_temperature(temperature)
    return replace(model, config=replace(model.config, head=head))


class _Search:
    """Scores candidates one after the other.

    Args:
        model: Its correction and temperature are changed.
        data: The data to score on.
        rollouts: The ensembles that every candidate is scored by.
        progress: Shows each row of scores.
    """

    def __init__(
        self, model: WeatherModel, data: Prepared, rollouts: RolloutConfig, progress: Progress
    ) -> None:
        self.model, self.data, self.rollouts, self.progress = model, data, rollouts, progress
        self.correction = model.forecaster.correction
        self.rows: list[Row] = []

    def score(self, temperature: Temperature) -> Candidate:
        """Score the correction as it is, at a temperature."""
        model = set_temperature(self.model, temperature)
        candidate = score(model, self.data, self.rollouts)
        self.rows.append(candidate.row)
        self.progress.update(len(self.rows))
        self.progress.row(candidate.row)
        return candidate

    def fit(self, temperature: Temperature) -> Candidate:
        """Fit the correction to single steps at a temperature, and score it."""
        model = set_temperature(self.model, temperature)
        fit_single_step(model, self.data, self.rollouts.seed)
        return self.score(temperature)

    def choose_temperature(self, sizes: list[int], temperatures: Temperature) -> Candidate:
        """The candidate of least CRPS, over temperatures of the scales of each size in turn.

        Args:
            sizes: Number of the size of each scale.
            temperatures: Temperatures to try; the search starts from the first.
        """
        best = self.fit(temperatures[:1] * len(sizes))
        for size in sorted(set(sizes)):
            for other in temperatures[1:]:
                scales = zip(sizes, best.temperature, strict=True)
                changed = self.fit(tuple(other if s == size else old for s, old in scales))
                best = min(best, changed, key=lambda candidate: candidate.row["crps"])
        return best

    def adjust(self, candidate: Candidate) -> Candidate:
        """Change the gain of a candidate; score the result."""
        self.correction.load_state_dict(candidate.correction)
        _centre(self.correction, candidate)
        return self.score(candidate.temperature)


def _checked(
    model: WeatherModel,
    data: Prepared,
    temperature: Temperature,
    rounds: int,
    rollouts: RolloutConfig,
) -> Prepared:
    """The data for the model; what cannot be calibrated is refused before anything is computed."""
    if model.config.head.kind == "deterministic":
        raise InputError(
            "The model is deterministic: its members are all equal, and there is no spread to "
            "calibrate. Give a model whose head.kind is another."
        )
    if rounds < 0:
        raise InputError(f"Found {rounds} rounds, expected none or more.")
    if not temperature or min(temperature) < 0:
        raise InputError(
            f"Found the temperatures {list(temperature)}, expected at least one, none below 0."
        )
    data = model.normalising(data)
    rollouts.choose(data)
    return data


def _centre(correction: Correction, candidate: Candidate) -> None:
    """Bring spread-skill ratios to 1: by wave in the middle of later leads, and at the first."""

    def middle(ratios: Array) -> Tensor:
        later = ratios[1:] if len(ratios) > 1 else ratios
        found = np.sqrt(later.min(0) * later.max(0)).clip(0.5, 2.0)
        return torch.from_numpy(found).to(correction.gain)

    waves = smooth(middle(candidate.waves).log()[:, None]).exp()
    first = middle(candidate.ratios) / middle(candidate.ratios[:1])
    correction.gain.div_(waves)
    correction.first.mul_(first[:, None, None])
