"""Descriptors of graphs against direct computations."""

from itertools import combinations
from math import exp

import networkx as nx
import numpy as np
import pytest
from numpy.typing import NDArray

from graphs.metrics.plain import descriptors
from graphs.metrics.plain.adjacency import Adjacency, to_networkx
from graphs.metrics.plain.descriptors import orbit_counts
from tests.graphs.metrics.graphs import random_graphs

# The place of a node, by the sorted degrees of a connected graph of up to four nodes and its own.
PLACES = {
    ((1, 1), 1): 0,
    ((1, 1, 2), 1): 1,
    ((1, 1, 2), 2): 2,
    ((2, 2, 2), 2): 3,
    ((1, 1, 2, 2), 1): 4,
    ((1, 1, 2, 2), 2): 5,
    ((1, 1, 1, 3), 1): 6,
    ((1, 1, 1, 3), 3): 7,
    ((2, 2, 2, 2), 2): 8,
    ((1, 2, 2, 3), 1): 9,
    ((1, 2, 2, 3), 2): 10,
    ((1, 2, 2, 3), 3): 11,
    ((2, 2, 3, 3), 2): 12,
    ((2, 2, 3, 3), 3): 13,
    ((3, 3, 3, 3), 3): 14,
}


def enumerated(adjacency: Adjacency) -> NDArray[np.int64]:
    graph, counts = to_networkx(adjacency), np.zeros((len(adjacency), 15), np.int64)
    for size in (2, 3, 4):
        for chosen in combinations(graph, size):
            part = graph.subgraph(chosen)
            if nx.is_connected(part):
                degrees = tuple(sorted(d for _, d in part.degree()))
                for node, own in part.degree():
                    counts[node, PLACES[degrees, own]] += 1
    return counts


@pytest.mark.parametrize("p", [0.15, 0.4, 0.8])
def test_orbit_counts_equal_enumeration(p: float) -> None:
    for adjacency in random_graphs(3, seed=1, p=p):
        assert np.array_equal(orbit_counts(adjacency), enumerated(adjacency))


def test_orbit_counts_of_the_complete_graph_of_five() -> None:
    counts = orbit_counts(~np.eye(5, dtype=bool))
    expected = np.zeros(15)
    expected[[0, 3, 14]] = 4, 6, 4
    assert np.array_equal(counts, np.tile(expected, (5, 1)))


def test_descriptors_equal_networkx() -> None:
    for adjacency in random_graphs(5, seed=2):
        graph, n = to_networkx(adjacency), len(adjacency)
        assert np.allclose(descriptors.degree(adjacency) * n, nx.degree_histogram(graph))
        coefficients = list(dict(nx.clustering(graph)).values())  # type: ignore[arg-type]
        expected = np.histogram(coefficients, 100, (0, 1))[0]
        assert np.allclose(descriptors.clustering(adjacency) * n, expected)
        laplacian = nx.normalized_laplacian_matrix(graph).toarray()
        assert np.allclose(descriptors.normalised_laplacian(adjacency), laplacian)


def test_spectrum_keeps_the_eigenvalue_two_and_isolated_nodes() -> None:
    tree = np.zeros((4, 4), bool)
    tree[[0, 1, 1, 2], [1, 0, 2, 1]] = True  # a path of three, eigenvalues 0, 1, 2, and a node
    shares = descriptors.spectral(tree)
    assert shares[[0, 100, 199]].tolist() == [0.5, 0.25, 0.25]


def test_wavelet_filters_are_those_of_hammond() -> None:
    """Their section 8.1: low-pass exp(-(x / 0.6 l_min)^4), differentiable band-pass."""
    step, x = 1e-6, np.array([0.05, 0.1, 2.0])
    response = descriptors.abspline(x)
    decay = exp(-((0.1 / 0.06) ** 4) + (0.05 / 0.06) ** 4)
    assert np.isclose(response[0, 1] / response[0, 0], decay)
    assert np.allclose(response[1:, 2][[0, -1]], [4 / 40**2, 1])  # scales 20 and 1/2 at 2
    for joint in (1.0, 2.0):
        values = descriptors._band(joint + step * np.array([-1, 0, 1]))
        assert abs(np.diff(values, 2)[0]) / step < 1e-4
    top = descriptors.abspline(np.linspace(0, 2, 20001)).max(1)
    assert np.isclose(top[0], top[1], rtol=1e-5)  # the low-pass filter is as high as the wavelets


def test_wavelet_energies_equal_the_operators() -> None:
    (adjacency,) = random_graphs(1, seed=3)
    values, vectors = np.linalg.eigh(descriptors.normalised_laplacian(adjacency))
    top = descriptors.abspline(np.arange(0, 2, 0.01)).max()
    expected = []
    for response in descriptors.abspline(values):
        operator = vectors @ np.diag(response) @ vectors.T
        expected.append(np.histogram((operator**2).sum(0), 100, (0, top))[0])
    counts = np.concatenate(expected)
    assert np.allclose(descriptors.wavelet(adjacency), counts / counts.sum())
