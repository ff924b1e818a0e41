"""Sorting a sample of maps point by point."""

from collections.abc import Sequence

import numpy as np

from weather.fields.arrays import Array

BLOCK = 128
"""Points that are sorted at a time, so that they fit in the cache."""


def sorted_last(values: Array) -> Array:
    """Values (n, ...) sorted along the first axis, which becomes the last: (..., n)."""
    flat = values.reshape(len(values), -1)
    last = np.empty(flat.shape[::-1], flat.dtype)
    for first in range(0, len(last), BLOCK):
        part = slice(first, first + BLOCK)
        last[part] = np.ascontiguousarray(flat[:, part]).T
        last[part].sort(axis=-1)
    return last.reshape(*values.shape[1:], -1)


def quantile(values: Array, levels: Sequence[float]) -> Array:
    """`numpy.quantile(values, levels, axis=0)`, linear, in a fraction of its time.

    Args:
        values: (n, ...).
        levels: q of them, in [0, 1].

    Returns:
        (q, ...), NaN where there is a NaN.
    """
    last = sorted_last(values)
    place = np.asarray(levels) * (len(values) - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, len(values) - 1)
    share = (place - below).astype(last.dtype)
    result = last[..., below] + (last[..., above] - last[..., below]) * share
    result[np.isnan(last[..., -1])] = np.nan  # NaN are sorted last
    return np.moveaxis(result, -1, 0)
