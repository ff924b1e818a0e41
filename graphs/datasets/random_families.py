"""Families of random graphs, without labels except for directions.

Graph k of a family is a function of the seed and k alone, so a longer list begins with a shorter
one. All graphs are connected.

- planar: Delaunay triangulation of 64 uniform points in a square (SPECTRE, Martinkus et al. 2022)
- tree: uniform labelled tree of 64 nodes (Bergmeister, Martinkus et al. 2023)
- sbm: 2-5 communities of 20-40 nodes; an edge has probability 0.3 inside a community and 0.005
  between two (SPECTRE)
- grid: rectangle of 10-19 by 10-19 nodes (GraphRNN, You et al. 2018)
- lobster: backbone, arms and legs with probability 0.7 each; 10-100 nodes (GRAN, Liao et al. 2019)
- ego: a node of a clustered scale-free graph and its neighbours; 4-18 nodes, as ego-small has
- dag: directed and acyclic; 8-16 nodes, each but the first with one or two arcs from earlier ones

The published ego graphs are cut from a citation network; these are not.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay

from graphs.data.convert_networkx import labelled
from graphs.data.store import GraphStore
from refine_core.errors import InputError, suggest

Ends = NDArray[np.int64]
Generator = np.random.Generator


def planar(rng: Generator, n: int = 64) -> tuple[int, Ends]:
    """Delaunay triangulation of n uniform points."""
    triangles = Delaunay(rng.random((n, 2))).simplices
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    return n, np.unique(np.sort(sides, 1), axis=0).astype(np.int64)


def tree(rng: Generator, n: int = 64) -> tuple[int, Ends]:
    """Uniform labelled tree, from a uniform Prüfer sequence."""
    code = rng.integers(0, n, n - 2)
    degree = np.bincount(code, minlength=n) + 1
    ends = []
    for node in code:
        leaf = int(np.argmax(degree == 1))
        ends.append((leaf, int(node)))
        degree[leaf] -= 1
        degree[node] -= 1
    return n, np.array([*ends, np.flatnonzero(degree == 1)], np.int64)


def sbm(rng: Generator) -> tuple[int, Ends]:
    """Stochastic block model, drawn until it is connected."""
    while True:
        size = rng.integers(20, 41, rng.integers(2, 6))
        group = np.repeat(np.arange(len(size)), size)
        chance = np.where(group[:, None] == group, 0.3, 0.005)
        i, j = np.nonzero(np.triu(rng.random(chance.shape) < chance, 1))
        adjacency = coo_array((np.ones(len(i)), (i, j)), chance.shape)
        parts, _ = connected_components(adjacency, directed=False)
        if parts == 1:
            return len(group), np.stack([i, j], 1)


def grid(rng: Generator) -> tuple[int, Ends]:
    """Rectangular lattice."""
    rows, columns = rng.integers(10, 20, 2)
    node = np.arange(rows * columns).reshape(rows, columns)
    across = np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], 1)
    down = np.stack([node[:-1].ravel(), node[1:].ravel()], 1)
    return int(rows * columns), np.concatenate([across, down])


def lobster(rng: Generator) -> tuple[int, Ends]:
    """Path with arms of length one or two, drawn until it has 10 to 100 nodes."""
    while True:
        backbone = int(2 * rng.random() * 80 + 0.5)
        ends = [(i, i + 1) for i in range(backbone - 1)]
        n = backbone
        for i in range(backbone):
            if rng.random() < 0.7:
                ends.append((i, n))
                n += 1
                if rng.random() < 0.7:
                    ends.append((n - 1, n))
                    n += 1
        if 10 <= n <= 100:
            return n, np.array(ends, np.int64)


def ego(rng: Generator) -> tuple[int, Ends]:
    """Neighbourhood of a random node in a Holme-Kim graph, drawn until it has 4 to 18 nodes."""
    import networkx as nx

    while True:
        whole = nx.powerlaw_cluster_graph(100, 3, 0.5, seed=int(rng.integers(2**31)))
        cut = nx.ego_graph(whole, int(rng.integers(100)))
        if 4 <= len(cut) <= 18:
            place = {node: k for k, node in enumerate(cut)}
            return len(cut), np.array([(place[a], place[b]) for a, b in cut.edges], np.int64)


def dag(rng: Generator) -> tuple[int, Ends]:
    """Nodes in a row, each with one or two uniform parents before it; ends are arcs."""
    n = int(rng.integers(8, 17))
    parents = [rng.choice(k, min(k, int(rng.integers(1, 3))), False) for k in range(1, n)]
    arcs = [(int(parent), k) for k, few in enumerate(parents, 1) for parent in few]
    return n, np.array(arcs, np.int64)


FAMILIES: dict[str, Callable[[Generator], tuple[int, Ends]]] = {
    "planar": planar,
    "tree": tree,
    "sbm": sbm,
    "grid": grid,
    "lobster": lobster,
    "ego": ego,
    "dag": dag,
}
DIRECTED = {"dag"}


def random_graphs(name: str, count: int, seed: int = 0) -> GraphStore:
    """Sample `count` graphs of a family.

    Raises:
        InputError: There is no such family.

    >>> random_graphs("tree", 3).sizes.tolist()
    [64, 64, 64]
    """
    if name not in FAMILIES:
        raise InputError(
            f"{name!r} is no family of graphs; expected one of {', '.join(FAMILIES)}."
            + suggest(name, FAMILIES)
        )
    graphs = [FAMILIES[name](np.random.default_rng([seed, k])) for k in range(count)]
    nodes = [[None] * n for n, _ in graphs]
    edges = [[None] * len(ends) for _, ends in graphs]
    return labelled(nodes, [ends for _, ends in graphs], edges, name in DIRECTED)
