"""Graphs for the tests of metrics."""

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from graphs.metrics.plain.adjacency import Adjacency


def shuffled(adjacency: Adjacency, seed: int) -> Adjacency:
    order = np.random.default_rng(seed).permutation(len(adjacency))
    return adjacency[np.ix_(order, order)]


def block_model(seed: int) -> tuple[Adjacency, NDArray[np.int64]]:
    """A graph of the SPECTRE data's law, connected, and its communities."""
    rng = np.random.default_rng(seed)
    while True:
        sizes = rng.integers(20, 41, rng.integers(2, 6))
        blocks = np.repeat(np.arange(len(sizes)), sizes)
        rate = np.where(blocks[:, None] == blocks, 0.3, 0.005)
        upper = np.triu(rng.random(rate.shape) < rate, 1)
        if nx.is_connected(nx.from_numpy_array(upper)):
            return upper | upper.T, blocks


def random_graphs(count: int, n: int = 10, seed: int = 0, p: float = 0.4) -> list[Adjacency]:
    rng = np.random.default_rng(seed)
    upper = [np.triu(rng.random((n, n)) < p, 1) for _ in range(count)]
    return [a | a.T for a in upper]
