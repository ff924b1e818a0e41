"""The mean of each season and time of day, at each point of the grid."""

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Array, Times

YEAR = 365.2425
"""Days."""
TERMS = (1, 5, 7)
"""Terms of a climatology: the mean, two annual harmonics, one of the time of day."""


def angles(times: Times) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(T,) time of day, and of year, as angles from 0 to 2 pi."""
    days = np.asarray((times - np.datetime64("2000-01-01", "ns")) / np.timedelta64(1, "D"))
    return 2 * np.pi * (days % 1), 2 * np.pi * (days / YEAR % 1)


def design(times: Times, terms: int) -> NDArray[np.float64]:
    """(T, terms) values at `times` of what a climatology is a sum of."""
    columns = [np.ones(len(times))]
    day, year = angles(times)
    for angle in (year, 2 * year, day):
        columns += [np.cos(angle), np.sin(angle)]
    return np.stack(columns[:terms], 1)


def terms_for(times: Times) -> int:
    """Terms that states at `times` tell about."""
    if len(times) < 2 or times[-1] - times[0] < np.timedelta64(360, "D"):
        return TERMS[0]
    hours = np.unique(times.astype("datetime64[h]").astype(np.int64) % 24)
    return TERMS[2] if len(hours) > 2 else TERMS[1]


def climatology_at(coefficients: Array, times: Times) -> NDArray[np.float32]:
    """Climatology at some times.

    Args:
        coefficients: (K, C, H, W), K of `TERMS`.
        times: (T,).

    Returns:
        (T, C, H, W).
    """
    basis = design(times, len(coefficients)).astype(np.float32)
    return np.asarray(np.tensordot(basis, coefficients, 1), np.float32)


def fit(maps: Array, rows: NDArray[np.int64], times: Times, size: int) -> NDArray[np.float32]:
    """Least squares at each point.

    Args:
        maps: (T, C, H, W), perhaps mapped into memory.
        rows: (n,) which of them to fit to.
        times: (T,).
        size: Maps to read at a time.

    Returns:
        (K, C, H, W) coefficients, as many of `TERMS` as the times can tell.
    """
    basis = design(times[rows], terms_for(times[rows]))
    total = np.zeros((basis.shape[1], int(np.prod(maps.shape[1:]))))
    for first in range(0, len(rows), size):
        block = slice(first, first + size)
        values = maps[rows[block]].reshape(len(basis[block]), -1)
        total += basis[block].T @ values.astype(np.float64)
    # pinv: hours that tell only one phase of the day leave the other at zero.
    solved = np.linalg.pinv(basis.T @ basis, hermitian=True) @ total
    return solved.reshape(-1, *maps.shape[1:]).astype(np.float32)


def clock(times: Times) -> NDArray[np.float32]:
    """(T, 4) sine and cosine of the time of day, then of the time of year."""
    day, year = angles(times)
    parts = [np.sin(day), np.cos(day), np.sin(year), np.cos(year)]
    return np.stack(parts, 1).astype(np.float32)
