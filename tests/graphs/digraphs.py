"""Small random directed graphs, with and without labels."""

import networkx as nx
import numpy as np
import torch

from graphs.data.batch import GraphBatch
from graphs.data.store import GraphStore


def random_digraph(seed: int, labelled: bool) -> "nx.DiGraph[int]":
    rng = np.random.default_rng(seed)
    graph: nx.DiGraph[int] = nx.gnp_random_graph(6, 0.3, seed=seed, directed=True)
    if labelled:
        for node in graph:
            graph.nodes[node]["label"] = str(rng.integers(2))
        for a, b in graph.edges:
            graph.edges[a, b]["label"] = "xy"[rng.integers(2)]
    return graph


def digraphs(labelled: bool) -> "list[nx.DiGraph[int]]":
    graphs = [random_digraph(seed, labelled) for seed in range(12)]
    assert any((b, a) in graph.edges for graph in graphs for a, b in graph.edges)
    return graphs


def acyclic_digraphs(labelled: bool) -> "list[nx.DiGraph[int]]":
    """Those without the arcs that go back in an order of the nodes."""
    graphs = digraphs(labelled)
    for seed, graph in enumerate(graphs):
        order = np.random.default_rng(seed).permutation(len(graph))
        graph.remove_edges_from([(a, b) for a, b in graph.edges if order[a] > order[b]])
    return graphs


def batch_of(store: GraphStore) -> GraphBatch:
    batch: GraphBatch = store[torch.arange(len(store))][0]
    return batch


def same(x: "nx.Graph[int]", y: "nx.Graph[int]") -> bool:
    def agree(a: dict[str, str], b: dict[str, str]) -> bool:
        return a.get("label") == b.get("label")

    return bool(x.is_directed() and nx.is_isomorphic(x, y, agree, agree))
