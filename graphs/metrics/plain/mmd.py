"""Maximum mean discrepancy between two sets of graphs, with the published kernels."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from graphs.metrics.plain.adjacency import Adjacency
from graphs.metrics.plain.descriptors import BINS, DESCRIPTORS
from refine_core.app.progress import Say, silent
from refine_core.errors import InputError

Vector = NDArray[np.float64]
Kernel = Literal["tv", "emd"]

BANDWIDTH = {"degree": 1.0, "clustering": 0.1, "orbit": 30.0, "spectral": 1.0, "wavelet": 1.0}


def describe(graphs: Sequence[Adjacency], descriptor: str) -> Vector:
    """Return (graphs, d) descriptors, padded with zeros; graphs without nodes are left out."""
    vectors = [DESCRIPTORS[descriptor](graph) for graph in graphs if len(graph)]
    result = np.zeros((len(vectors), max(map(len, vectors), default=0)))
    for row, vector in zip(result, vectors, strict=True):
        row[: len(vector)] = vector
    return result


def distances(
    vectors: Mapping[str, tuple[Vector, Vector, Vector]],
    kernel: Kernel = "tv",
    say: Say = silent,
) -> dict[str, float]:
    """Return distances of generated and of training graphs from test graphs, and their ratios.

    Args:
        vectors: By name, descriptors of generated graphs, of training graphs and of test graphs.
        kernel: See `distance`; in-degrees and out-degrees take the bandwidth of degrees.
        say: Receives a line about each name.

    Returns:
        By name the distance of generated graphs, under `_train` that of training graphs, under
        `_ratio` the first over the second, and under `ratio` the mean of the ratios defined.
    """
    report: dict[str, float] = {}
    for name, (generated, train, test) in vectors.items():
        say(f"comparing {name}")
        width = "degree" if name.endswith("degree") else name
        value = distance(generated, test, width, kernel)
        reached = distance(train, test, width, kernel)
        ratio = value / reached if reached > 0 else float("nan")
        report |= {name: value, f"{name}_train": reached, f"{name}_ratio": ratio}
    ratios = np.array([report[f"{name}_ratio"] for name in vectors])
    defined = ratios[np.isfinite(ratios)]
    return report | {"ratio": float(defined.mean()) if len(defined) else float("nan")}


def distance(x: Vector, y: Vector, descriptor: str, kernel: Kernel = "tv") -> float:
    """Return the squared MMD of descriptors x (n, d) and y (m, e), biased as published.

    mean k(x, x') + mean k(y, y') - 2 mean k(x, y) with k = exp(-D^2 / 2 s^2), over all pairs,
    those of a graph with itself included. The shorter vectors are padded with zeros.

    - "tv" (SPECTRE, DiGress on planar, tree and SBM graphs): D is half the L1 distance, with
      s = 1, for clustering 0.1, for orbit counts 30.
    - "emd" (GraphRNN; DiGress on community graphs): D is the earth mover's distance of bins one
      unit apart, for clustering 0.01, with the same s; orbit counts take the Euclidean distance.
      It is not positive definite, so small negative values can occur.

    Raises:
        InputError: A set is empty.
    """
    if not len(x) or not len(y):
        raise InputError(
            "A set of graphs to compare is empty; give at least one graph with nodes."
        )
    width = max(x.shape[1], y.shape[1])
    x, y = (np.pad(z, ((0, 0), (0, width - z.shape[1]))) for z in (x, y))
    scale = BANDWIDTH[descriptor] * np.sqrt(2)
    if kernel == "tv":
        x, y, metric = x / 2, y / 2, "cityblock"
    elif descriptor == "orbit":
        metric = "euclidean"
    else:
        bins = BINS if descriptor == "clustering" else 1
        x, y, metric = np.cumsum(x, 1) / bins, np.cumsum(y, 1) / bins, "cityblock"

    def similarity(a: Vector, b: Vector) -> float:
        # Some rows at a time, to bound the memory.
        parts = [
            np.exp(-((cdist(a[i : i + 512], b, metric) / scale) ** 2)).sum()  # type: ignore[call-overload]
            for i in range(0, len(a), 512)
        ]
        return float(sum(parts)) / (len(a) * len(b))

    return similarity(x, x) + similarity(y, y) - 2 * similarity(x, y)
