"""Confidence intervals from resampling forecasts in blocks.

Errors of forecasts started a few days apart are alike, so that blocks of consecutive starts are
drawn, on a circle (Politis & Romano 1992), and not single starts. Intervals from few blocks, less
than `ENOUGH`, are too narrow; from less than `LEAST` they mean nothing.
"""

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Array
from weather.metrics.sorting import quantile

Real = NDArray[np.float64]

RESAMPLES = 1000
LEAST, ENOUGH = 5, 20
"""Blocks."""
MEMORY = np.timedelta64(5 * 24, "h")
"""Errors of starts so far apart are taken to be independent."""


def block_length(inits: NDArray[np.datetime64]) -> int:
    """Starts in a block: so many that it spans `MEMORY`, at most half of them.

    Args:
        inits: (n,) ascending starts.
    """
    if len(inits) < 2:
        return 1
    spacing = np.median(np.diff(inits).astype("timedelta64[s]").astype(np.float64))
    wanted = int(np.ceil(MEMORY / np.timedelta64(1, "s") / max(spacing, 1.0)))
    return max(1, min(wanted, len(inits) // 2))


def resamples(count: int, block: int, seed: int, number: int = RESAMPLES) -> Real:
    """How often each of `count` starts is in each resample.

    Returns:
        (1 + number, count); the first row is all starts once, each other sums to `count`.
    """
    generator = np.random.default_rng(seed)
    blocks = -(-count // block)
    start = generator.integers(0, count, (number, blocks, 1))
    drawn = ((start + np.arange(block)) % count).reshape(number, blocks * block)[:, :count]
    cell = drawn + count * np.arange(number)[:, None]
    counts = np.bincount(cell.ravel(), minlength=number * count).reshape(number, count)
    return np.concatenate([np.ones((1, count)), counts])


def means(counts: Real, values: Real, there: NDArray[np.bool_]) -> Real:
    """Mean over the starts in each resample.

    Args:
        counts: (B, n) of `resamples`.
        values: (n, T, ...) by start and lead time.
        there: (n, T) whether a value counts. A resample without any stands at the first row's.

    Returns:
        (B, T, ...).
    """
    mask = there.reshape(*there.shape, *[1] * (values.ndim - 2))
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN: not defined, such as a spread
        total = np.tensordot(counts, np.where(mask, values, 0.0), 1)
        number = np.tensordot(counts, mask.astype(np.float64), 1)
        mean = total / number
    result: Real = np.where(number > 0, mean, mean[0])
    return result


def interval(values: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Lower and upper end from resampled values (B, ...); the first row is left out."""
    tail = (1 - level) / 2
    low, high = quantile(values[1:], [tail, 1 - tail])
    return low, high
