"""Scores of directed graphs."""

import networkx as nx
import pytest

from graphs.metrics.plain.digraphs import evaluate_digraphs
from refine_core.errors import InputError


def test_direction_and_labels_count_as_different() -> None:
    away, towards = nx.DiGraph([(0, 1), (0, 2)]), nx.DiGraph([(1, 0), (2, 0)])
    named = nx.DiGraph([(0, 1), (0, 2)])
    named.nodes[0]["label"] = "root"
    report = evaluate_digraphs([away, towards, named, away], [away], [towards])
    assert report["unique"] == 0.75 and report["novel"] == 0.5 and report["acyclic"] == 1
    assert report["out_degree"] > 0 and report["clustering"] == 0
    with pytest.raises(InputError, match="Found 0 generated"):
        evaluate_digraphs([], [away], [towards])
    with pytest.raises(InputError, match="an undirected graph"):
        evaluate_digraphs([nx.path_graph(3)], [away], [towards])
