"""The distribution-learning scores of GuacaMol (Brown et al., 2019), in [0, 1], 1 best.

They compare with training molecules, where other metrics compare with test molecules.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import entropy, gaussian_kde

from graphs.chem.scores import DESCRIPTORS, INTEGERS, describe
from graphs.metrics.similarity import nearest_other

Real = NDArray[np.float64]

POINTS = 1000  # at which densities are compared
LEAST = 1e-10  # added to densities, so that no logarithm is of zero


def kl_score(smiles: Sequence[str], train: Sequence[str]) -> float:
    """Mean of exp(-KL(training, generated)) over nine descriptors and the nearest similarity.

    Densities of real descriptors and of the similarity to the most similar other molecule of the
    same list are kernel estimates, those of counts histograms of ten bins. NaN where a list has
    fewer than two different molecules.

    Args:
        smiles: Generated valid molecules; repeated ones count once.
        train: Training molecules, likewise.
    """
    ours, theirs = (sorted(set(molecules)) for molecules in (smiles, train))
    if min(len(ours), len(theirs)) < 2:
        return math.nan
    (a, bits_a), (b, bits_b) = describe(theirs), describe(ours)
    divergences = []
    for column, name in enumerate(DESCRIPTORS):
        measure = histogram_divergence if name in INTEGERS else density_divergence
        divergences.append(measure(a[:, column], b[:, column]))
    divergences.append(density_divergence(nearest_other(bits_a), nearest_other(bits_b)))
    return float(np.exp(-np.array(divergences)).mean())


def fcd_score(distance: float) -> float:
    """exp(-FCD / 5), of the Frechet ChemNet distance to training molecules."""
    return math.exp(-0.2 * distance)


def density_divergence(reference: Real, values: Real) -> float:
    """Kullback-Leibler divergence of values (n,) from those of a reference (m,), in nats.

    Both densities are Gaussian kernel estimates. Values that are all alike have no such density:
    the divergence is then zero from the same value, and infinite from others.
    """
    if np.ptp(reference) == 0 or np.ptp(values) == 0:
        alike = np.array_equal(np.unique(reference), np.unique(values))
        return 0.0 if alike else math.inf
    both = np.concatenate([reference, values])
    points = np.linspace(both.min(), both.max(), POINTS)
    p, q = (gaussian_kde(x)(points) + LEAST for x in (reference, values))
    return float(entropy(p, q))


def histogram_divergence(reference: Real, values: Real) -> float:
    """Likewise of counts, by histograms of ten bins between the reference's least and largest."""
    bins = np.histogram_bin_edges(reference, bins=10)
    width = bins[1] - bins[0]
    counts = (np.histogram(x, bins)[0] for x in (reference, values))
    p, q = (n / max(1, n.sum()) / width + LEAST for n in counts)
    return float(entropy(p, q))
