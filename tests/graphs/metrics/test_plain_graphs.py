"""Validity, uniqueness and novelty of plain graphs, and the whole report."""

from collections.abc import Sequence
from typing import Any

import networkx as nx
import numpy as np
import pytest
from numpy.typing import NDArray

from graphs.metrics.adjacency import Adjacency, adjacencies, to_networkx
from graphs.metrics.isomorphism import colour_key, colours, isomorphic, isomorphism_classes
from graphs.metrics.plain_graphs import Kind, evaluate_graphs, is_valid
from graphs.metrics.sbm import communities, description_length, is_sbm, p_value
from refine_core.errors import InputError


def classes(graphs: Sequence[Adjacency]) -> list[int]:
    return isomorphism_classes(graphs, colour_key, isomorphic)


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


VALID: "list[tuple[Kind, nx.Graph[Any], bool]]" = [
    ("planar", nx.grid_2d_graph(3, 4), True),
    ("planar", nx.complete_graph(4), True),
    ("planar", nx.complete_graph(5), False),
    ("planar", nx.complete_bipartite_graph(3, 3), False),
    ("planar", nx.disjoint_union(nx.path_graph(3), nx.path_graph(3)), False),
    ("tree", nx.star_graph(5), True),
    ("tree", nx.cycle_graph(5), False),
    ("tree", nx.disjoint_union(nx.cycle_graph(3), nx.path_graph(1)), False),
    ("lobster", nx.random_lobster_graph(20, 0.6, 0.6, seed=1), True),
    ("lobster", nx.balanced_tree(3, 3), False),
    ("lobster", nx.cycle_graph(6), False),
    ("lobster", nx.path_graph(2), True),
    ("grid", nx.grid_2d_graph(3, 5), True),
    ("grid", nx.cycle_graph(4), True),
    ("grid", nx.path_graph(6), False),
    ("grid", nx.ladder_graph(5), True),
    ("grid", nx.circular_ladder_graph(5), False),
]


@pytest.mark.parametrize(("kind", "graph", "expected"), VALID)
def test_validity_by_kind(kind: Kind, graph: "nx.Graph[Any]", expected: bool) -> None:
    (adjacency,) = adjacencies([graph])
    assert is_valid(adjacency, kind) is expected
    assert is_valid(shuffled(adjacency, 0), kind) is expected


def test_isomorphism_agrees_with_networkx() -> None:
    graphs = adjacencies(nx.graph_atlas_g()[1:150])
    numbers = classes([*graphs, *(shuffled(graph, i) for i, graph in enumerate(graphs))])
    assert numbers == [*range(149), *range(149)]  # the atlas lists every graph once
    for a, b in zip(graphs, graphs[1:], strict=False):
        assert isomorphic(a, b) == nx.is_isomorphic(to_networkx(a), to_networkx(b))


def test_colours_alone_do_not_decide() -> None:
    """Colour refinement cannot tell two triangles from a hexagon, so VF2 has to."""
    hexagon, triangles = adjacencies(
        [nx.cycle_graph(6), nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3))]
    )
    assert np.array_equal(colours(hexagon), colours(triangles))
    assert classes([hexagon, triangles, shuffled(hexagon, 1)]) == [0, 1, 0]


def test_communities_are_recovered() -> None:
    for seed in range(8):
        adjacency, blocks = block_model(seed)
        found = communities(shuffled(adjacency, seed))
        order = np.random.default_rng(seed).permutation(len(blocks))
        pairs = set(zip(found.tolist(), blocks[order].tolist(), strict=True))
        assert len(pairs) == len(set(blocks.tolist())) == len(set(found.tolist()))


def test_description_length_of_one_block() -> None:
    """ln C(n (n-1) / 2, m) for the edges, ln n for how many blocks; the rest is certain."""
    (path,) = adjacencies([nx.path_graph(4)])
    expected = np.log(20) + np.log(4)  # C(6, 3) places, 4 possible numbers of blocks
    assert np.isclose(description_length(path, np.zeros(4, np.int64)), expected)


def test_the_published_p_value() -> None:
    """Against the formula written out, for two communities of 20 with 60, 50 and 2 edges."""
    from scipy.stats import chi2

    found = p_value(np.array([20, 20]), np.array([[120, 2], [2, 100]]))
    expected = 0.0
    for density, rate, weight in ((120 / 380, 0.3, 1), (100 / 380, 0.3, 1), (2 / 400, 0.005, 2)):
        wald = (density - rate) ** 2 / (density * (1 - density))
        expected += weight * float(1 - chi2.cdf(wald, 1)) / 4
    assert np.isclose(found, expected, atol=1e-4)


def test_other_graphs_are_no_block_models() -> None:
    for seed in range(5):
        random = nx.gnp_random_graph(100, 0.08, seed=seed)
        assert not is_sbm(adjacencies([random])[0])
    planar, _ = block_model(0)
    rewired = nx.double_edge_swap(to_networkx(planar), 2000, 100000, seed=1)
    assert not is_sbm(adjacencies([rewired])[0])


def test_verdicts_are_those_on_the_true_communities() -> None:
    verdicts = []
    for seed in range(40):
        adjacency, blocks = block_model(seed)
        member = np.eye(blocks.max() + 1, dtype=np.int64)[blocks]
        true = p_value(member.sum(0), member.T @ adjacency @ member) > 0.9
        assert is_sbm(adjacency) is true
        verdicts.append(true)
    assert 0.75 < np.mean(verdicts) < 1  # the test is strict: not all true draws pass


def test_report_counts_and_compares() -> None:
    trees = adjacencies([nx.random_labeled_tree(20, seed=i) for i in range(60)])
    train, test = trees[:25], trees[25:50]
    (cycle,) = adjacencies([nx.cycle_graph(20)])
    graphs = [shuffled(train[0], 1), trees[51], shuffled(trees[51], 2), trees[52], cycle]
    report = evaluate_graphs(graphs, train, test, "tree")
    assert [report[name] for name in ("valid", "unique", "novel", "vun")] == [0.8, 0.8, 0.8, 0.4]
    assert (report["graphs"], report["train"], report["test"]) == (5, 25, 25)
    for name in ("degree", "clustering", "orbit", "spectral", "wavelet"):
        ratio = report[f"{name}_ratio"]
        train_distance = report[f"{name}_train"]
        assert np.isnan(ratio) if not train_distance else ratio == report[name] / train_distance
    again = evaluate_graphs([shuffled(g, 3) for g in graphs], train, test, "tree")
    assert all(np.isclose(again[key], value, equal_nan=True) for key, value in report.items())


def test_test_graphs_themselves_are_at_distance_zero() -> None:
    graphs = [nx.gnp_random_graph(12, 0.3, seed=i) for i in range(20)]
    report = evaluate_graphs(graphs[:10], graphs[10:], graphs[:10])
    assert all(abs(report[name]) < 1e-12 for name in ("degree", "clustering", "orbit", "wavelet"))
    assert report["novel"] == 1 and "valid" not in report


def test_wrong_requests_are_explained() -> None:
    graphs = [nx.path_graph(3)]
    with pytest.raises(InputError, match="Did you mean 'planar'"):
        evaluate_graphs(graphs, graphs, graphs, "plannar")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="0 generated, 1 training"):
        evaluate_graphs([], graphs, graphs)
