"""Rank histograms, Brier score and reliability."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Array

Integers = NDArray[np.integer[Any]]
Flags = NDArray[np.bool_]

BINS = 11
"""Bins of forecast probabilities, centred at 0, 0.1, ..., 1."""


def ranks(ensemble: Array, truth: Array, generator: np.random.Generator) -> Integers:
    """Rank of the truth among the members, from 0 to M; ties are broken at random.

    Args:
        ensemble: (M, ...).
        truth: (...).
        generator: Gives the random numbers that break ties.
    """
    below = np.count_nonzero(ensemble < truth, axis=0)
    ties = np.count_nonzero(ensemble == truth, axis=0)
    return np.asarray(below + generator.integers(0, ties, endpoint=True))


def histogram(index: Integers, bins: int, weight: Array, values: Array | None = None) -> Array:
    """Area-weighted histogram by region.

    Args:
        index: (n, H, W) bin of every cell.
        bins: Count of bins.
        weight: (R, H, W) of the cells in each region, of sum 1.
        values: (n, H, W) to sum in each bin; None counts.

    Returns:
        (n, R, bins), of sum 1 over the bins when counting.
    """
    count = len(index)
    cell = (index + bins * np.arange(count)[:, None, None]).ravel()
    share = np.broadcast_to(weight[:, None], (len(weight), *index.shape))
    share = share if values is None else share * values
    summed = [np.bincount(cell, each.ravel(), count * bins) for each in share]
    result: Array = np.stack(summed, -1, dtype=np.float64)
    return result.reshape(count, bins, -1).swapaxes(1, 2)


def probability(ensemble: Array, threshold: Array) -> Array:
    """Share of members (M, ...) above a threshold (...)."""
    return np.asarray(np.count_nonzero(ensemble > threshold, axis=0) / len(ensemble))


def brier(probability: Array, event: Flags, members: int, *, fair: bool = True) -> Array:
    """Brier score, (p - o)^2.

    The fair score subtracts p (1 - p) / (M - 1), so that its mean does not depend on M (Ferro
    2014); for one member both are the same.

    Args:
        probability: (...) share of members with the event.
        event: (...) whether it happened.
        members: M.
        fair: Whether to remove the bias of a finite ensemble.
    """
    score = (probability - event) ** 2
    if fair and members > 1:
        score -= probability * (1 - probability) / (members - 1)
    return score


def reliability(probability: Array, event: Flags, weight: Array) -> Array:
    """Sums for a reliability diagram, which add up over forecasts.

    Args:
        probability: (n, H, W).
        event: (n, H, W).
        weight: (R, H, W) of the cells in each region, of sum 1.

    Returns:
        (n, R, 3, BINS): share of the cells, sum of forecast probabilities, sum of events.
    """
    middle = (BINS - 1) / 2
    away = probability * (BINS - 1) - middle
    # Midway between two bins, that nearer to one half: no bin has more of 20 members than others.
    index = middle + np.sign(away) * np.ceil(np.abs(away) - 0.5 - 1e-9)
    parts = (None, probability, event.astype(np.float64))
    return np.stack([histogram(index.astype(np.int64), BINS, weight, p) for p in parts], 2)


def probability_square(probability: Array, members: int) -> Array:
    """Unbiased square of the probability that an endless ensemble would give.

    The square of a share of M members is too large by p (1 - p) / (M - 1), on average.

    Args:
        probability: (...) share of members with the event.
        members: M.
    """
    return probability**2 - probability * (1 - probability) / max(1, members - 1)


def by_spread(ensemble: Array, truth: Array, weight: Array, groups: int = 10) -> Array:
    """Squared errors and variances of the cells of a circle of latitude, grouped by their spread.

    One half of the members says to which group a cell belongs, the other half its variance, so
    that a variance large by chance does not count twice. Circles of latitude are ranked each by
    itself: that spread is larger at high latitudes is climate, not weather.

    Args:
        ensemble: (M, n, H, W), M >= 4.
        truth: (n, H, W).
        weight: (R, H, W) of the cells in each region, of sum 1.
        groups: Count of groups of equal size, of least spread first.

    Returns:
        (n, R, 3, groups): share of the cells, sum of squared errors of the ensemble mean, sum of
        the squared errors that the spread predicts.
    """
    counted = weight.any(0)
    spread = np.where(counted, ensemble[::2].var(0), np.inf)
    rank = spread.argsort(-1, kind="stable").argsort(-1, kind="stable")
    index = np.minimum(rank * groups // np.maximum(counted.sum(-1, keepdims=True), 1), groups - 1)
    predicted = ensemble[1::2].var(0, ddof=1) * (1 + 1 / len(ensemble))
    parts = (None, (ensemble.mean(0) - truth) ** 2, predicted)
    return np.stack([histogram(index, groups, weight, part) for part in parts], 2)
