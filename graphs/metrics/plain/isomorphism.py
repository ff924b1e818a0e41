"""Isomorphism of graphs: an exact test, and the classes of a collection."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from graphs.metrics.plain.adjacency import Adjacency, to_networkx

Colours = NDArray[np.uint64]
Graph = TypeVar("Graph")


def colours(adjacency: Adjacency) -> Colours:
    """Return (n,) colours of nodes by colour refinement, until stable or for n rounds.

    Nodes of one graph or of two have equal colours where the one-dimensional test of Weisfeiler
    and Leman (1968) cannot tell them apart. Colours are hashes of 64 bits; a collision could only
    merge colours, so isomorphic graphs always have the same.
    """
    a = adjacency.astype(np.uint64)
    current: Colours = a.sum(1, dtype=np.uint64)
    count = len(np.unique(current))
    for _ in range(len(a)):
        refined = _mix(_mix(current) + (a @ _mix(current + np.uint64(1))) * np.uint64(3))
        found = len(np.unique(refined))
        if found == count:
            break
        current, count = refined, found
    return current


def colour_key(adjacency: Adjacency) -> bytes:
    """Return the sorted colours, which isomorphic graphs share and hardly any other graph has."""
    return np.sort(colours(adjacency)).tobytes()


def isomorphic(a: Adjacency, b: Adjacency) -> bool:
    """Tell exactly whether some relabelling turns one graph into the other (VF2)."""
    from networkx.algorithms.isomorphism import GraphMatcher

    if colour_key(a) != colour_key(b):
        return False
    graphs = [to_networkx(a), to_networkx(b)]
    for graph, adjacency in zip(graphs, (a, b), strict=True):
        for node, colour in enumerate(colours(adjacency)):
            graph.nodes[node]["colour"] = int(colour)
    matcher = GraphMatcher(graphs[0], graphs[1], lambda x, y: x["colour"] == y["colour"])
    return bool(matcher.is_isomorphic())


def isomorphism_classes(
    graphs: Sequence[Graph],
    key: Callable[[Graph], Hashable],
    isomorphic: Callable[[Graph, Graph], bool],
) -> list[int]:
    """Return a number for each graph, the same for exactly those that are isomorphic.

    Args:
        graphs: In any format.
        key: What isomorphic graphs share; graphs of different keys are not compared.
        isomorphic: Tells whether two graphs are isomorphic.
    """
    representatives: defaultdict[Hashable, list[tuple[int, Graph]]] = defaultdict(list)
    result = []
    for number, graph in enumerate(graphs):
        bucket = representatives[key(graph)]
        same = (known for known, other in bucket if isomorphic(graph, other))
        result.append(next(same, number))
        if result[-1] == number:
            bucket.append((number, graph))
    return result


def _mix(x: Colours) -> Colours:
    """Hash 64-bit numbers by the finaliser of splitmix64, a bijection."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: Colours = x ^ (x >> np.uint64(31))
    return result
