"""Calibration: how sharply to draw, chosen on the validation part by rolling out."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refine_core.progress import Progress
from weather.metrics.ensemble import crps, promised_square, spread_skill, variance
from weather.prepare import Prepared
from weather.refine import RefineHead
from weather.trained import WeatherModel

Row = dict[str, float]
Ratios = NDArray[np.floating[Any]]
NEAR = 0.05
"""Mean deviation of the spread-skill ratio from 1 that is good enough."""


def calibrate(
    model: WeatherModel,
    data: Prepared,
    *,
    temperature: tuple[float, ...] = (0.9, 1.0, 1.1),
    spread: tuple[float, ...] = (1.0, 1.15, 1.3, 1.45),
    rounds: int = 2,
    starts: int = 12,
    members: int = 10,
    steps: int = 10,
    seed: int = 0,
    quiet: bool = False,
) -> tuple[WeatherModel, list[Row]]:
    """The model with the best of all temperatures and spreads, and a row for each.

    Best is the spread-skill ratio, averaged over channels and leads, closest to 1; among those
    that are within 0.05 of it, the lowest fair CRPS. Then each channel gets a factor of its own:
    in every round it is divided by the channel's ratio, averaged over leads (between 0.5 and 2).

    Args:
        model: To calibrate.
        data: Its validation part is used.
        temperature: To try, at every scale but the last, where heads draw codes.
        spread: Factors on the residual of all channels to try.
        rounds: Of fitting the factor of each channel.
        starts: Initial times, spread evenly over the part.
        members: Of each ensemble.
        steps: To roll out.
        seed: Of the ensembles.
        quiet: Whether to show nothing.
    """
    temperatures = temperature if isinstance(model.forecaster.head, RefineHead) else (1.0,)
    tried = list(product(temperatures, spread))
    rows: list[Row] = []
    channels: list[Ratios] = []

    def judge(heat: float, factors: Sequence[float]) -> None:
        """Measure a way to sample."""
        score, ratios = scores(
            with_sampling(model, heat, factors), data, starts, members, steps, seed
        )
        rows.append({"temperature": heat, "spread": float(np.mean(factors)), **score})
        channels.append(ratios)
        progress.update(len(rows))
        progress.row(rows[-1])

    with Progress("calibration", len(tried) + rounds, quiet=quiet) as progress:
        for heat, factor in tried:
            judge(heat, (factor,))
        best = min(range(len(rows)), key=lambda k: _order(rows[k]))
        heat, factors = rows[best]["temperature"], np.full(len(model.channels), tried[best][1])
        ratios = channels[best]
        for _ in range(rounds):
            factors = factors / ratios.clip(0.5, 2.0)
            judge(heat, factors.tolist())
            ratios = channels[-1]
    return with_sampling(model, heat, factors.tolist() if rounds else (tried[best][1],)), rows


def _order(row: Row) -> tuple[float, float]:
    """Less is better."""
    return max(abs(row["spread_skill"] - 1), NEAR), row["crps"]


def with_sampling(
    model: WeatherModel, temperature: float, spread: Sequence[float]
) -> WeatherModel:
    """The same networks, drawn from otherwise; the given model is changed too."""
    factors = tuple(round(factor, 4) for factor in spread)
    head = replace(model.config.head, temperature=(temperature,), spread=factors)
    if isinstance(model.forecaster.head, RefineHead):
        model.forecaster.head.temperature = head.temperature
    model.forecaster.widen(factors)
    return replace(model, config=replace(model.config, head=head))


def scores(
    model: WeatherModel, data: Prepared, starts: int, members: int, steps: int, seed: int
) -> tuple[Row, Ratios]:
    """Mean fair CRPS, in climatological standard deviations, and spread-skill ratios.

    Returns:
        The means, and (C,) the ratio of each channel, averaged over leads.
    """
    part, stride = data.starts("validation", steps), data.stride
    chosen = part[np.linspace(0, len(part) - 1, starts).round().astype(int)]
    area = data.grid.area()[:, None]
    history = stride * np.arange(1 - data.data.history, 1)
    total, promised, errors = [], [], []
    for start in chosen:
        past = np.asarray(data.states[start + history])
        time = data.times[start]
        states = model.rollout(past, time, members=members, steps=steps, seed=seed)
        for number, state in enumerate(states):
            truth = np.asarray(data.states[start + stride * (number + 1)])[None]
            ensemble = state.values.numpy()
            total.append((crps(ensemble, truth[0]) * area).mean((1, 2)))
            spread = variance(ensemble)
            promised.append((promised_square(spread, members) * area).mean((1, 2)))
            errors.append((np.square(ensemble.mean(0) - truth[0]) * area).mean((1, 2)))
    shape = (len(chosen), steps, -1)
    ratio = spread_skill(np.reshape(promised, shape).mean(0), np.reshape(errors, shape).mean(0))
    relative = np.mean(total, 0) / model.std.numpy()
    by_lead = {f"spread_skill_{k + 1}": float(x) for k, x in enumerate(ratio.mean(1))}
    row = {"crps": float(relative.mean()), "spread_skill": float(ratio.mean()), **by_lead}
    return row, ratio.mean(0)
