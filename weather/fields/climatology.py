"""The mean of each season and time of day, at each point of the grid."""

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Array, Times
from weather.fields.times import angles

TERMS = (1, 5, 7)
"""Possible counts of terms: the mean; with two annual harmonics; with one harmonic of the day."""


def design(times: Times, terms: int) -> NDArray[np.float64]:
    """(T, terms) values at `times` of the functions that a climatology is a sum of."""
    columns = [np.ones(len(times))]
    day, year = angles(times)
    for angle in (year, 2 * year, day):
        columns += [np.cos(angle), np.sin(angle)]
    return np.stack(columns[:terms], 1)


def terms_for(times: Times) -> int:
    """Count of terms that states at `times` determine."""
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


def fit_climatology(
    maps: Array, rows: NDArray[np.int64], times: Times, size: int
) -> NDArray[np.float32]:
    """Fit a climatology by least squares at each point.

    Args:
        maps: (T, C, H, W), perhaps mapped into memory.
        rows: (n,) the maps to fit to.
        times: (T,).
        size: Maps to read at a time.

    Returns:
        (K, C, H, W) coefficients, K of `TERMS`: as many as the times determine.
    """
    basis = design(times[rows], terms_for(times[rows]))
    total = np.zeros((basis.shape[1], int(np.prod(maps.shape[1:]))))
    for first in range(0, len(rows), size):
        block = slice(first, first + size)
        values = maps[rows[block]].reshape(len(basis[block]), -1)
        total += basis[block].T @ values.astype(np.float64)
    # pinv: hours that determine only one phase of the day leave the other at zero.
    solved = np.linalg.pinv(basis.T @ basis, hermitian=True) @ total
    return solved.reshape(-1, *maps.shape[1:]).astype(np.float32)
