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
        weight: (R, H) of the rows in each region, of sum 1.
        values: (n, H, W) to sum in each bin; None counts.

    Returns:
        (n, R, bins), of sum 1 over the bins when counting.
    """
    count, rows, columns = index.shape
    cell = index + bins * np.arange(count * rows).reshape(count, rows, 1)
    summed = np.bincount(
        cell.ravel(), None if values is None else values.ravel(), count * rows * bins
    )
    result: Array = weight @ summed.reshape(count, rows, bins) / columns
    return result


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
        weight: (R, H) of the rows in each region, of sum 1.

    Returns:
        (n, R, 3, BINS): share of the cells, sum of forecast probabilities, sum of events.
    """
    index = np.rint(probability * (BINS - 1)).astype(np.int64)
    parts = (None, probability, event.astype(np.float64))
    return np.stack([histogram(index, BINS, weight, part) for part in parts], 2)
