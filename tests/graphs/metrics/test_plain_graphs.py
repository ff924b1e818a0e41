"""Validity of plain graphs by kind, and the whole report."""

from typing import Any

import networkx as nx
import numpy as np
import pytest

from graphs.metrics.plain.adjacency import adjacencies
from graphs.metrics.plain_graphs import Kind, evaluate_graphs, is_valid
from refine_core.errors import InputError
from tests.graphs.metrics.graphs import shuffled

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
