"""Evaluation of generated directed graphs: distances to test graphs, unique, novel."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphs.metrics.adjacency import adjacencies
from graphs.metrics.isomorphism import classes
from graphs.metrics.mmd import Vector, beside, describe
from refine_core.errors import InputError

Digraph = Any  # nx.DiGraph
DISTANCES = ("in_degree", "out_degree", "clustering", "spectral")


def evaluate_digraphs(
    graphs: Sequence[Digraph], train: Sequence[Digraph], test: Sequence[Digraph]
) -> dict[str, float]:
    """Compare generated directed graphs with test graphs, beside what training graphs reach.

    - in_degree, out_degree, clustering and spectral: squared MMD, with `_floor` and `_ratio` as of
      `graphs.metrics.plain_graphs.evaluate_graphs`; the last two without directions.
    - `ratio`: mean of those defined.
    - `unique`, `novel`: shares; isomorphism respects directions and labels.
    - `acyclic`, `acyclic_train`: shares without directed cycles.
    - `graphs`, `train`, `test`: how many there are of each.

    Raises:
        InputError: A collection is empty, or its graphs are not directed.
    """
    import networkx as nx

    if not (graphs and train and test):
        raise InputError(
            f"Found {len(graphs)} generated, {len(train)} training and {len(test)} test graphs; "
            "give at least one of each."
        )
    if not all(graph.is_directed() for part in (graphs, train, test) for graph in part):
        raise InputError("Found an undirected graph; these metrics compare directed ones.")
    vectors = {
        name: (_describe(graphs, name), _describe(train, name), _describe(test, name))
        for name in DISTANCES
    }
    numbers = classes([*train, *graphs], _key, _isomorphic)
    learnt, ours = set(numbers[: len(train)]), numbers[len(train) :]
    acyclic, acyclic_train = (
        float(np.mean([nx.is_directed_acyclic_graph(graph) for graph in part]))
        for part in (graphs, train)
    )
    return beside(vectors) | {
        "unique": float(np.mean([number not in ours[:i] for i, number in enumerate(ours)])),
        "novel": float(np.mean([number not in learnt for number in ours])),
        "acyclic": acyclic,
        "acyclic_train": acyclic_train,
        "graphs": len(graphs),
        "train": len(train),
        "test": len(test),
    }


def _describe(graphs: Sequence[Digraph], name: str) -> Vector:
    """Return (graphs, d) descriptors."""
    if not name.endswith("degree"):
        return describe(adjacencies(graph.to_undirected() for graph in graphs), name)
    counts = [
        np.bincount([d for _, d in (g.in_degree if name == "in_degree" else g.out_degree)()])
        for g in graphs
        if len(g)
    ]
    result = np.zeros((len(counts), max(map(len, counts), default=0)))
    for row, count in zip(result, counts, strict=True):
        row[: len(count)] = count / count.sum()
    return result


def _isomorphic(a: Digraph, b: Digraph) -> bool:
    """Tell whether some renaming of nodes turns one graph into the other, with all labels."""
    from networkx.algorithms.isomorphism import DiGraphMatcher

    def agree(x: Any, y: Any) -> bool:
        return bool(x.get("label") == y.get("label"))

    return bool(DiGraphMatcher(a, b, agree, agree).is_isomorphic())


def _key(graph: Digraph) -> Any:
    """What isomorphic graphs share: colours after two rounds of refinement, both ways."""
    colour = {node: str(label) for node, label in graph.nodes(data="label")}
    for _ in range(2):
        after, before = (
            {
                node: sorted((str(values.get("label")), colour[v]) for v, values in near.items())
                for node, near in side.items()
            }
            for side in (graph.succ, graph.pred)
        )
        colour = {node: str((colour[node], after[node], before[node])) for node in graph}
    return tuple(sorted(colour.values()))
