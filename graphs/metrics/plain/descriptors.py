"""Descriptors of graphs, as a histogram or a vector, for the evaluation of generated graphs.

The choices are those of SPECTRE (Martinkus et al., 2022) and DiGress (Vignac et al., 2023), whose
code follows GRAN (Liao et al., 2019), so that figures compare with published ones.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from graphs.metrics.plain.adjacency import Adjacency

Vector = NDArray[np.float64]

BINS = 100  # of clustering coefficients and of wavelet energies
SPECTRAL_BINS = 200
FILTERS = 12


def degree(adjacency: Adjacency) -> Vector:
    """Return the shares (largest degree + 1,) of nodes of degree 0, 1, ..."""
    return np.bincount(adjacency.sum(1)) / len(adjacency)


def clustering(adjacency: Adjacency) -> Vector:
    """Return the shares (100,) of local clustering coefficients in equal bins of [0, 1].

    A node's coefficient is the share of pairs of its neighbours that are adjacent; with fewer than
    two neighbours it is 0.
    """
    a = adjacency.astype(np.float64)
    degrees = a.sum(1)
    closed = ((a @ a) * a).sum(1)
    coefficients = closed / np.maximum(degrees * (degrees - 1), 1)
    counts = np.histogram(coefficients, BINS, (0, 1))[0]
    return counts.astype(np.float64) / len(a)


def orbit(adjacency: Adjacency) -> Vector:
    """Return (15,) orbit counts (`orbit_counts`), averaged over nodes."""
    mean: Vector = orbit_counts(adjacency).mean(0)
    return mean


def spectral(adjacency: Adjacency) -> Vector:
    """Return the shares (200,) of eigenvalues of the normalised Laplacian in bins of [0, 2].

    The published code drops an eigenvalue 2 that rounding has made larger; here it counts.
    """
    values = np.linalg.eigvalsh(normalised_laplacian(adjacency))
    counts = np.histogram(np.minimum(values, 2), SPECTRAL_BINS, (-1e-5, 2))[0]
    return counts.astype(np.float64) / len(adjacency)


def wavelet(adjacency: Adjacency) -> Vector:
    """Return the shares (1200,) of wavelet energies at the nodes, in 100 bins for 12 scales.

    The energy of node i at scale s is |g_s(L) e_i|^2, of the normalised Laplacian L and the
    filters g_s of `abspline`; bins divide [0, largest value of any filter].
    """
    values, vectors = np.linalg.eigh(normalised_laplacian(adjacency))
    energies = abspline(values) ** 2 @ (vectors**2).T
    top = _largest_response()
    histograms = [np.histogram(scale, BINS, (0, top))[0] for scale in energies]
    counts: Vector = np.concatenate(histograms).astype(np.float64)
    return counts / max(float(counts.sum()), 1.0)


def normalised_laplacian(adjacency: Adjacency) -> Vector:
    """Return D^-1/2 (D - A) D^-1/2 (n, n), with rows of zeros at nodes without edges."""
    degrees = adjacency.sum(1)
    root = np.where(degrees > 0, 1 / np.sqrt(np.maximum(degrees, 1)), 0)
    laplacian: Vector = np.diag(degrees) - adjacency.astype(np.float64)
    return root[:, None] * laplacian * root


def abspline(values: Vector) -> Vector:
    """Return the responses (12, n) of the spectral graph wavelet filters at eigenvalues (n,).

    Hammond, Vandergheynst & Gribonval (2011), section 8.1, with alpha = beta = 2, x1 = 1, x2 = 2
    and 20 for lambda_max / lambda_min, for a spectrum in [0, 2]: one low-pass filter and eleven
    wavelets at logarithmic scales.
    """
    low = 2 / 20
    scales = np.geomspace(2 / low, 1 / 2, FILTERS - 1)
    peak = -minimize_scalar(lambda x: -_band(np.array([x]))[0], bounds=(1, 2)).fun
    lowpass = peak * np.exp(-((values / (0.6 * low)) ** 4))
    return np.stack([lowpass, *(_band(s * values) for s in scales)])


def _band(x: Vector) -> Vector:
    """Band-pass response: x^2 below 1, 4 / x^2 above 2, between them the cubic that joins both."""
    cubic = -5 + 11 * x - 6 * x**2 + x**3
    return np.where(x <= 1, x**2, np.where(x < 2, cubic, 4 / np.maximum(x, 1) ** 2))


@cache
def _largest_response() -> float:
    return float(abspline(np.arange(0, 2, 0.01)).max())


DESCRIPTORS: dict[str, Callable[[Adjacency], Vector]] = {
    "degree": degree,
    "clustering": clustering,
    "orbit": orbit,
    "spectral": spectral,
    "wavelet": wavelet,
}


Counts = NDArray[np.int64]


def orbit_counts(adjacency: Adjacency) -> Counts:
    """Return (n, 15) counts of orbits 0 to 14 at each node of a graph (n, n), exact.

    An orbit is a place in a connected induced subgraph of up to four nodes. The 15 orbits are
    those of Przulj (2007), in the numbering of ORCA (Hocevar & Demsar, 2014):
    0 edge; 1, 2 end and middle of the path of three; 3 triangle; 4, 5 end and inner node of the
    path of four; 6, 7 leaf and centre of the claw; 8 four-cycle; 9, 10, 11 the paw's pendant node,
    its two free triangle nodes and its node of degree three; 12, 13 the diamond's nodes of degree
    two and three; 14 the complete graph of four.

    Occurrences that need not be induced have closed forms in degrees, triangles and common
    neighbours. The induced counts follow by subtracting, from the densest subgraph down, those
    that lie inside a denser one (the approach of ESCAPE, Pinar et al., 2017). Each subtrahend
    below is the number of times that the sparser subgraph, with the node in that orbit, lies
    inside the denser one.
    """
    a = adjacency.astype(np.int64)
    d = a.sum(1)
    common = a @ a
    np.fill_diagonal(common, 0)
    shared = common * a  # triangles on each edge
    t = shared.sum(1) // 2
    k = _cliques(a)
    o12 = ((a @ (shared - a)) * a).sum(1) // 2 - 3 * k
    o13 = _pairs(shared).sum(1) - 3 * k
    o8 = _pairs(common).sum(1) - o12 - o13 - 3 * k
    o9 = a @ t - 2 * t - 2 * o12 - 3 * k
    o10 = shared @ (d - 2) - 2 * o12 - 2 * o13 - 6 * k
    o11 = t * (d - 2) - 2 * o13 - 3 * k
    o6 = a @ _pairs(d - 1) - o9 - o10 - 2 * o12 - o13 - 3 * k
    o7 = d * (d - 1) * (d - 2) // 6 - o11 - o13 - k
    o4 = common @ (d - 1) - 2 * t - 2 * (o8 + o9 + o13) - o10 - 4 * o12 - 6 * k
    o5 = (d - 1) * (a @ (d - 1)) - 2 * t - 2 * (o8 + o11 + o12) - o10 - 4 * o13 - 6 * k
    three = [d, a @ (d - 1) - 2 * t, _pairs(d) - t, t]
    return np.stack([*three, o4, o5, o6, o7, o8, o9, o10, o11, o12, o13, k], 1)


def _pairs(x: Counts) -> Counts:
    """Number of pairs among x things."""
    return x * (x - 1) // 2


def _cliques(a: Counts) -> Counts:
    """(n,) complete subgraphs of four nodes at each node: triangles among its neighbours."""
    result = np.zeros(len(a), np.int64)
    for node, row in enumerate(a):
        near = np.flatnonzero(row)
        inner = a[np.ix_(near, near)]
        result[node] = ((inner @ inner) * inner).sum() // 6
    return result
