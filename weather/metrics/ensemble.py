"""CRPS, error of the ensemble mean, spread.

With members x_1..x_M and truth y,

    CRPS = 1/M sum_i |x_i - y|  -  1/(2 M^2) sum_ij |x_i - x_j|

and the fair CRPS divides the second sum by 2 M (M - 1): its mean does not depend on M as long as
the members are exchangeable (Ferro 2014, doi:10.1002/qj.2270). For one member, both are |x - y|.
"""

import numpy as np

from weather.fields.arrays import Array
from weather.metrics.sorting import sorted_last


def crps(ensemble: Array, truth: Array, *, fair: bool = True) -> Array:
    """Continuous ranked probability score, O(M log M).

    >>> float(crps(np.array([0.0, 1.0, 2.0]), np.array(3.0)))
    1.3333333333333333

    Args:
        ensemble: (M, ...).
        truth: (...), in the ensemble's units.
        fair: Whether to remove the bias of a finite ensemble.

    Returns:
        (...), in the ensemble's units; lower is better.
    """
    skill, dispersion = crps_terms(ensemble - truth)
    return skill - (dispersion if fair else dispersion * (1 - 1 / len(ensemble)))


def crps_terms(error: Array) -> tuple[Array, Array]:
    """Both terms of the fair CRPS, which is their difference.

    Half the mean distance of two members is a weighted sum of the sorted members: the i-th of M
    has weight (2 i - M - 1) / (M (M - 1)).

    Args:
        error: (M, ...) members minus truth.

    Returns:
        Mean absolute error of the members, and half the mean distance of two different members,
        zero for one member; (...) each.
    """
    last = sorted_last(error)
    members = last.shape[-1]
    weight = (2 * np.arange(members) - members + 1) / max(1, members * (members - 1))
    with np.errstate(invalid="ignore"):  # matrix products may raise the flag of what they discard
        half = last @ weight.astype(last.dtype)
    return np.abs(last).mean(-1), half


def variance(ensemble: Array) -> Array:
    """Variance of the members (M, ...) about their mean, divided by M - 1; NaN for one member."""
    if len(ensemble) == 1:
        return np.full_like(ensemble[0], np.nan)
    result: Array = ensemble.var(0, ddof=1)
    return result


def predicted_square(variance: Array, members: int) -> Array:
    """Squared error of the ensemble mean that its spread predicts, (M + 1) / M s^2.

    Args:
        variance: (...) of the members.
        members: M.
    """
    return variance * (1 + 1 / members)


def unbiased_square(square: Array, variance: Array, members: int) -> Array:
    """Squared error that the mean of an infinite ensemble would have: s^2 / M less.

    Args:
        square: (...) squared error of the mean of the members.
        variance: (...) of the members.
        members: M.
    """
    return square - variance / members


def root(square: Array) -> Array:
    """Root of a mean square; zero where an unbiased estimate of it is negative."""
    return np.asarray(np.sqrt(np.maximum(square, 0)))


def spread_skill(predicted: Array, square: Array) -> Array:
    """Spread-skill ratio, 1 where truth and members are exchangeable.

    sqrt((M + 1) / M) sqrt<s^2> / sqrt<(mean - y)^2>: averages first, roots last (Fortin et al.
    2014, doi:10.1175/JHM-D-14-0008.1).

    Args:
        predicted: (...) mean over area and forecasts of `predicted_square`.
        square: (...) mean over the same of the squared error of the ensemble mean.
    """
    return np.sqrt(predicted / square)


def anomaly_correlation(product: Array, forecast: Array, truth: Array) -> Array:
    """Anomaly correlation from the means of f a, f^2 and a^2.

    Args:
        product: (...) mean product of the anomalies of forecast and truth.
        forecast: (...) mean square of the forecast's anomaly from climatology.
        truth: (...) mean square of the truth's.
    """
    return product / np.sqrt(forecast * truth)
