"""Which graphs of a collection are the same up to the naming of their nodes."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.metrics.adjacency import Adjacency, network

Colours = NDArray[np.uint64]


def colours(adjacency: Adjacency) -> Colours:
    """Return (n,) colours of nodes after n rounds, or until stable, of colour refinement.

    Equal colours mean that the test of Weisfeiler and Leman (1968) in one dimension cannot tell
    two nodes apart, in one graph or in two. Colours are hashes of 64 bits; a collision could only
    merge colours, so isomorphic graphs always agree.
    """
    a = adjacency.astype(np.uint64)
    current: Colours = a.sum(1, dtype=np.uint64)
    classes = len(np.unique(current))
    for _ in range(len(a)):
        refined = _mix(_mix(current) + (a @ _mix(current + np.uint64(1))) * np.uint64(3))
        found = len(np.unique(refined))
        if found == classes:
            break
        current, classes = refined, found
    return current


def key(adjacency: Adjacency) -> bytes:
    """Return what all graphs isomorphic to this one share, and hardly any other graph has."""
    return np.sort(colours(adjacency)).tobytes()


def isomorphic(a: Adjacency, b: Adjacency) -> bool:
    """Tell whether some renaming of nodes turns one graph into the other, exactly (VF2)."""
    from networkx.algorithms.isomorphism import GraphMatcher

    if key(a) != key(b):
        return False
    graphs = [network(a), network(b)]
    for graph, adjacency in zip(graphs, (a, b), strict=True):
        for node, colour in enumerate(colours(adjacency)):
            graph.nodes[node]["colour"] = int(colour)
    matcher = GraphMatcher(graphs[0], graphs[1], lambda x, y: x["colour"] == y["colour"])
    return bool(matcher.is_isomorphic())


def classes(
    graphs: Sequence[Any],
    key: Callable[[Any], Hashable] = key,
    isomorphic: Callable[[Any, Any], bool] = isomorphic,
) -> list[int]:
    """Return a number for each graph, the same for exactly those that are isomorphic.

    Args:
        graphs: Adjacency matrices, or whatever the next two take.
        key: What all isomorphic graphs share.
        isomorphic: Whether two graphs are.
    """
    representatives: defaultdict[Hashable, list[tuple[int, Any]]] = defaultdict(list)
    result = []
    for number, graph in enumerate(graphs):
        bucket = representatives[key(graph)]
        same = (known for known, other in bucket if isomorphic(graph, other))
        result.append(next(same, number))
        if result[-1] == number:
            bucket.append((number, graph))
    return result


def _mix(x: Colours) -> Colours:
    """The finaliser of splitmix64: a bijection that scatters neighbouring numbers."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: Colours = x ^ (x >> np.uint64(31))
    return result
