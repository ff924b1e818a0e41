from collections import Counter

import networkx as nx
import numpy as np
import pytest
import torch

from graphs.data.convert_networkx import to_networkx
from graphs.datasets.random_families import FAMILIES, random_graphs, tree
from refine_core.errors import InputError


def drawn(name: str, count: int = 12) -> "list[nx.Graph[int]]":
    store = random_graphs(name, count)
    return to_networkx(store[torch.arange(count)][0], store.vocabulary)


@pytest.mark.parametrize("name", FAMILIES)
def test_families_are_connected_and_follow_the_seed(name: str) -> None:
    graphs = drawn(name)
    assert all(nx.is_connected(nx.Graph(graph)) for graph in graphs)
    assert not any(graph.number_of_nodes() == 0 for graph in graphs)
    same, other = (random_graphs(name, 15, seed)[torch.arange(12)][0] for seed in (0, 1))
    first = random_graphs(name, 12)[torch.arange(12)][0]
    assert torch.equal(first.edges, same.edges)
    assert first.edges.shape != other.edges.shape or not torch.equal(first.edges, other.edges)


def test_planar_graphs_are_triangulations() -> None:
    for graph in drawn("planar"):
        assert nx.check_planarity(graph)[0] and len(graph) == 64
        # Euler: 3 n - 3 - h edges, h of the n nodes on the hull.
        assert 3 * 64 - 3 - 64 <= graph.number_of_edges() <= 3 * 64 - 6


def test_trees_are_uniform() -> None:
    assert all(nx.is_tree(graph) and len(graph) == 64 for graph in drawn("tree"))
    rng = np.random.default_rng(0)
    seen = Counter(tuple(sorted(map(tuple, np.sort(tree(rng, 4)[1], 1)))) for _ in range(4000))
    assert len(seen) == 4**2  # Cayley
    assert max(abs(count - 250) for count in seen.values()) < 5 * 250**0.5


def test_blocks_have_the_published_sizes_and_density() -> None:
    sizes = random_graphs("sbm", 40).sizes
    assert sizes.min() >= 40 and sizes.max() <= 200
    # A community of 30 contributes 0.3 * 29 / 2 edges a node, other communities little.
    edges = sum(graph.number_of_edges() for graph in drawn("sbm", 40))
    assert 4 < edges / int(sizes.sum()) < 6


def test_grids_are_grids() -> None:
    for graph in drawn("grid", 6):
        shapes = [(r, len(graph) // r) for r in range(10, 20) if len(graph) % r == 0]
        assert any(nx.is_isomorphic(graph, nx.grid_2d_graph(*shape)) for shape in shapes)


def test_lobsters_become_paths_when_leaves_go_twice() -> None:
    for graph in drawn("lobster"):
        assert nx.is_tree(graph) and 10 <= len(graph) <= 100
        for _ in range(2):
            graph.remove_nodes_from([node for node, degree in graph.degree() if degree <= 1])
        assert all(degree <= 2 for _, degree in graph.degree())


def test_ego_graphs_have_a_centre() -> None:
    for graph in drawn("ego"):
        assert 4 <= len(graph) <= 18
        assert any(degree == len(graph) - 1 for _, degree in graph.degree())


def test_unknown_family() -> None:
    with pytest.raises(InputError, match="Did you mean 'planar'"):
        random_graphs("planer", 1)


def test_directed_graphs_are_acyclic_with_at_most_two_parents() -> None:
    store = random_graphs("dag", 12)
    for graph in to_networkx(store[torch.arange(12)][0], store.vocabulary):
        assert isinstance(graph, nx.DiGraph) and nx.is_directed_acyclic_graph(graph)
        parents = [k for _, k in graph.in_degree]
        assert 8 <= len(parents) <= 16 and parents.count(0) == 1 and max(parents) <= 2
