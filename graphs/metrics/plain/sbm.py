"""Test whether a graph is a plausible draw from the stochastic block model of the SPECTRE data.

The published test (Martinkus et al., 2022; unchanged in DiGress) recovers communities by
minimising the description length of the graph, demands 2 to 5 of them with 20 to 40 nodes each,
and compares the densities found with 0.3 inside and 0.005 between communities in a Wald-like test
whose p-value, averaged over all ordered pairs of communities, must exceed 0.9. That is strict: of
600 true draws 91 % pass here, though the communities of 594 are recovered exactly.

Its recovery is a Markov chain of graph-tool, a compiled package outside the package index. Here
the description length is that of the microcanonical block model without degree correction
(Peixoto, 2017), minimised over partitions of 1 to 7 blocks found by
spectral clustering and refined by classification EM (Celeux & Govaert, 1992): nodes move to the
block that makes their edges most likely, until none moves. The test itself is the published one.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln
from scipy.stats import chi2

from graphs.metrics.plain.adjacency import Adjacency
from graphs.metrics.plain.descriptors import normalised_laplacian

Blocks = NDArray[np.int64]
Real = NDArray[np.float64]

INSIDE, BETWEEN = 0.3, 0.005
SIZES = (20, 40)
COMMUNITIES = (2, 5)
MOST_BLOCKS = 7


def is_sbm(adjacency: Adjacency) -> bool:
    """Tell whether a graph (n, n) passes the test above."""
    if len(adjacency) < COMMUNITIES[0] * SIZES[0] or not adjacency.any():
        return False
    blocks = communities(adjacency)
    sizes, edges = _statistics(adjacency, blocks)
    if not COMMUNITIES[0] <= len(sizes) <= COMMUNITIES[1]:
        return False
    if sizes.min() < SIZES[0] or sizes.max() > SIZES[1]:
        return False
    return p_value(sizes, edges) > 0.9


def p_value(sizes: Blocks, edges: Blocks) -> float:
    """Return the published mean p-value.

    Args:
        sizes: (k,) nodes of each community.
        edges: (k, k) edges between communities, those inside counted twice.
    """
    density = edges / (np.outer(sizes, sizes) - np.diag(sizes) + 1e-6)
    expected = np.where(np.eye(len(sizes)) > 0, INSIDE, BETWEEN)
    wald = (density - expected) ** 2 / (density * (1 - density) + 1e-6)
    return float(chi2.sf(np.abs(wald), 1).mean())


def communities(adjacency: Adjacency) -> Blocks:
    """Return (n,) the block of each node in the partition of least description length."""
    _, vectors = np.linalg.eigh(normalised_laplacian(adjacency))
    found = [
        _refine(adjacency, _cluster(vectors[:, :count], count))
        for count in range(1, min(MOST_BLOCKS, len(adjacency)) + 1)
    ]
    return min(found, key=lambda blocks: description_length(adjacency, blocks))


def description_length(adjacency: Adjacency, blocks: Blocks) -> float:
    """Return the nats that encode the partition, the edge counts of blocks and the edges."""
    sizes, edges = _statistics(adjacency, blocks)
    n, k = len(adjacency), len(sizes)
    upper = np.triu_indices(k)
    places = np.outer(sizes, sizes) - np.diag(sizes * (sizes + 1) / 2)
    counts = edges - np.diag(np.diag(edges) / 2)
    partition = gammaln(n + 1) - gammaln(sizes + 1.0).sum() + np.log(n)
    partition += _log_binomial(n - 1, k - 1)
    total, pairs = counts[upper].sum(), len(upper[0])
    shares = _log_binomial(pairs + total - 1, total)
    return float(partition + shares + _log_binomial(places, counts)[upper].sum())


def _log_binomial(n: ArrayLike, k: ArrayLike) -> Real:
    n, k = np.asarray(n, np.float64), np.asarray(k, np.float64)
    result: Real = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return result


def _statistics(adjacency: Adjacency, blocks: Blocks) -> tuple[Blocks, Blocks]:
    """Sizes (k,) and edge counts (k, k) of nonempty blocks; edges inside count twice."""
    _, blocks = np.unique(blocks, return_inverse=True)
    member = np.eye(blocks.max() + 1, dtype=np.int64)[blocks]
    return member.sum(0), member.T @ adjacency.astype(np.int64) @ member


def _cluster(points: Real, count: int) -> Blocks:
    """(n,) clusters of the directions of rows (n, d) by k-means, started from distant rows."""
    points = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    centres = points[:1]
    for _ in range(count - 1):
        nearest = _squared(points, centres).min(1)
        centres = np.concatenate([centres, points[[nearest.argmax()]]])
    blocks = np.zeros(len(points), np.int64)
    for _ in range(50):
        last, blocks = blocks, _squared(points, centres).argmin(1)
        if np.array_equal(last, blocks):
            break
        taken = np.unique(blocks)
        centres = np.stack([points[blocks == b].mean(0) for b in taken])
    return blocks


def _squared(x: Real, y: Real) -> Real:
    result: Real = ((x[:, None] - y[None]) ** 2).sum(2)
    return result


def _refine(adjacency: Adjacency, blocks: Blocks) -> Blocks:
    """Move all nodes to their likeliest blocks until none moves, at most 50 times."""
    for _ in range(50):
        sizes, edges = _statistics(adjacency, blocks)
        _, blocks = np.unique(blocks, return_inverse=True)
        member = np.eye(len(sizes), dtype=np.int64)[blocks]
        places = np.outer(sizes, sizes) - np.diag(sizes)
        rate = (edges + 0.5) / (places + 1)  # never 0 or 1
        near = adjacency.astype(np.int64) @ member
        far = sizes - member - near
        moved = (near @ np.log(rate).T + far @ np.log1p(-rate).T).argmax(1)
        if np.array_equal(moved, blocks):
            break
        blocks = moved
    return blocks
