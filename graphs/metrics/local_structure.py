"""Counts of local structures of graphs: degrees, triangles, and what two nodes have in common.

Each structure is a node or a pair of nodes with what is next to it, named without regard to the
order of nodes, so that counts of isomorphic graphs are equal. They are what circular substructures
are to molecules (`graphs.chem.substructure`), where nodes have no labels that would tell more.
"""

import math
import zlib
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphs.data.sparse_counts import Counts, sparse_counts

if TYPE_CHECKING:
    import networkx as nx

PAIRS = 4096
"""Pairs of nodes whose common neighbours are found at once: n numbers each."""


def local_structure_counts(graphs: Sequence["nx.Graph[Any]"], size: int) -> Counts:
    """How often each local structure is in graphs; labels of nodes and edges count.

    The structures are

    - nodes by their edges, out and in where these are arcs, and the triangles that they are in;
    - edges by these of their ends;
    - edges by the common neighbours of their ends, and the edges among these;
    - pairs without an edge, of two common neighbours and more, by the same.

    Numbers above 16 count as equal within a fifth.

    Args:
        graphs: n graphs, directed or not; the attribute `label` is their labels'.
        size: Places that structures are folded into.

    Returns:
        A sparse matrix (n, size).

    >>> import networkx as nx
    >>> triangle, path = local_structure_counts([nx.cycle_graph(3), nx.path_graph(3)], 2**12)
    >>> int(triangle.sum()), int(path.sum())  # three nodes, three edges twice; the path has two
    (9, 7)
    """
    named = (Counter(map(_number, _structures(graph))) for graph in graphs)
    return sparse_counts(named, size)


def _number(structure: Hashable) -> int:
    """The same in every process, unlike `hash`."""
    return zlib.crc32(repr(structure).encode())


def _structures(graph: "nx.Graph[Any]") -> Iterator[Hashable]:
    order = {node: place for place, node in enumerate(graph)}
    arcs = np.zeros((len(order), len(order)))
    for a, b in graph.edges():
        arcs[order[a], order[b]] = 1
    directed = graph.is_directed()
    joined = np.maximum(arcs, arcs.T)
    shared = joined @ joined
    degrees = (arcs.sum(1), arcs.sum(0)) if directed else (joined.sum(1),)
    triangles = (shared * joined).sum(1) / 2
    own = [
        (str(values.get("label", "")), *(_level(each[place]) for each in degrees))
        for place, (_, values) in enumerate(graph.nodes(data=True))
    ]
    for place, name in enumerate(own):
        yield "node", name, _level(triangles[place])
    edges = [(order[a], order[b], str(x.get("label", ""))) for a, b, x in graph.edges(data=True)]
    for a, b, label in edges:
        pair = (own[a], own[b]) if directed else tuple(sorted((own[a], own[b])))
        yield "ends", label, pair
    near = np.argwhere(np.triu((shared > 1) & (joined == 0), 1))
    there = np.array([edge[:2] for edge in edges], int).reshape(-1, 2)
    for kind, pairs in (("edge", there), ("apart", near)):
        for common, among in _common(joined, pairs):
            yield kind, _level(common), _level(among)


def _common(
    joined: NDArray[np.float64], pairs: NDArray[np.int64]
) -> Iterator[tuple[float, float]]:
    """Common neighbours of each of p pairs (p, 2) of nodes, and edges among them."""
    for start in range(0, len(pairs), PAIRS):
        first, second = pairs[start : start + PAIRS].T
        both = joined[first] * joined[second]
        among = ((both @ joined) * both).sum(1) / 2
        yield from zip(both.sum(1).tolist(), among.tolist(), strict=True)


def _level(number: float) -> int:
    """A number up to 16 itself, larger ones in steps of a fourth of an octave.

    >>> [_level(n) for n in (0, 16, 17, 32, 33, 64)]
    [0, 16, 16, 20, 20, 24]
    """
    return int(number) if number <= 16 else 16 + int(4 * math.log2(number / 16))
