"""Adjacency matrices of graphs in any of the usual formats."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph

from graphs.data.batch import GraphBatch
from refine_core.errors import InputError

if TYPE_CHECKING:
    import networkx as nx

Adjacency = NDArray[np.bool_]  # (n, n), symmetric, False on the diagonal
Graphs = GraphBatch | Iterable["nx.Graph[Any]"] | Iterable[Adjacency]


def adjacencies(graphs: Graphs) -> list[Adjacency]:
    """Return the adjacency matrix (n, n) of each graph; labels, weights and loops are dropped.

    Args:
        graphs: A padded batch, networkx graphs, or square arrays whose entries other than zero
            are edges.

    Raises:
        InputError: A graph is directed, or an array is not square.
    """
    if isinstance(graphs, GraphBatch):
        edges, valid = graphs.edges.cpu().numpy() != 0, graphs.valid.cpu().numpy()
        graphs = [e[np.ix_(v, v)] for e, v in zip(edges, valid, strict=True)]
    return [_adjacency(graph) for graph in graphs]


def connected(adjacency: Adjacency) -> bool:
    """Tell whether a graph has exactly one component; the graph without nodes has none."""
    return bool(csgraph.connected_components(adjacency, directed=False)[0] == 1)


def to_networkx(adjacency: Adjacency) -> "nx.Graph[int]":
    """Return the graph as a networkx object with nodes 0, 1, ..."""
    import networkx as nx

    graph: nx.Graph[int] = nx.empty_graph(len(adjacency))
    graph.add_edges_from((int(a), int(b)) for a, b in np.argwhere(np.triu(adjacency)))
    return graph


def _adjacency(graph: "nx.Graph[Any] | Adjacency") -> Adjacency:
    array = graph if isinstance(graph, np.ndarray) else _from_networkx(graph)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise InputError(f"Found an adjacency matrix of shape {array.shape}; give square ones.")
    result: Adjacency = array.astype(bool)
    if not np.array_equal(result, result.T):
        raise InputError("Found a directed graph; these metrics compare undirected ones.")
    np.fill_diagonal(result, False)
    return result


def _from_networkx(graph: "nx.Graph[Any]") -> Adjacency:
    index = {node: i for i, node in enumerate(graph)}
    array = np.zeros((len(index), len(index)), bool)
    for a, b in graph.edges():
        array[index[a], index[b]] = True
    return array if graph.is_directed() else array | array.T
