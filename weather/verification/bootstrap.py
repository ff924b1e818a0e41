"""Confidence intervals from the circular block bootstrap (Politis & Romano 1992) of starts.

Errors of forecasts started a few days apart are correlated, so blocks of consecutive starts are
resampled, and not single starts. Intervals from fewer than `ENOUGH` blocks are too narrow; from
fewer than `LEAST` they mean nothing.

`arch.bootstrap` makes the same resamples, though one by one and not as counts, and needs
statsmodels. Its optimal block length is one for each score and lead time; with 60 autocorrelated
starts it brought the coverage of intervals no nearer to 95 % than the fixed span of five days.
"""

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Array
from weather.metrics.sorting import quantile

Real = NDArray[np.float64]

RESAMPLES = 1000
LEAST, ENOUGH = 5, 20
"""Numbers of blocks."""
MEMORY = np.timedelta64(5 * 24, "h")
"""Errors of forecasts started so far apart are taken to be independent."""


def block_length(inits: NDArray[np.datetime64]) -> int:
    """Number of starts in a block: as many as span `MEMORY`, at most half of them.

    Args:
        inits: (n,) ascending starts.
    """
    if len(inits) < 2:
        return 1
    spacing = np.median(np.diff(inits).astype("timedelta64[s]").astype(np.float64))
    wanted = int(np.ceil(MEMORY / np.timedelta64(1, "s") / max(spacing, 1.0)))
    return max(1, min(wanted, len(inits) // 2))


def counts_of(inits: NDArray[np.datetime64], seed: int) -> Real:
    """Resamples of starts (n,); only all of them once, if there are fewer than `LEAST` blocks."""
    block = block_length(inits)
    number = RESAMPLES if len(inits) >= LEAST * block else 0
    return resamples(len(inits), block, seed, number)


def resamples(count: int, block: int, seed: int, number: int = RESAMPLES) -> Real:
    """How often each of `count` starts is in each resample.

    Returns:
        (1 + number, count); the first row is all starts once, each other sums to `count`.
    """
    generator = np.random.default_rng(seed)
    blocks = -(-count // block)
    start = generator.integers(0, count, (number, blocks, 1))
    chosen = ((start + np.arange(block)) % count).reshape(number, blocks * block)[:, :count]
    cell = chosen + count * np.arange(number)[:, None]
    counts = np.bincount(cell.ravel(), minlength=number * count).reshape(number, count)
    return np.concatenate([np.ones((1, count)), counts])


def means(counts: Real, values: Real, verified: NDArray[np.bool_]) -> Real:
    """Mean over the starts in each resample.

    Args:
        counts: (B, n) of `resamples`.
        values: (n, T, ...) by start and lead time.
        verified: (n, T) whether a value counts. A resample without such a value gets the mean of
            the first row.

    Returns:
        (B, T, ...).
    """
    mask = verified.reshape(*verified.shape, *[1] * (values.ndim - 2))
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # some are not defined, such as a spread of one
        total = np.tensordot(counts, np.where(mask, values, 0.0), 1)
        number = np.tensordot(counts, mask.astype(np.float64), 1)
        mean = total / number
    result: Real = np.where(number > 0, mean, mean[0])
    return result


def interval(values: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Lower and upper end of resampled values (B, ...) without the first row."""
    tail = (1 - level) / 2
    low, high = quantile(values[1:], [tail, 1 - tail])
    return low, high
