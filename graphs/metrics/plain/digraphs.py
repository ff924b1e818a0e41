"""Scores of generated directed graphs: distances from test graphs, uniqueness, novelty."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from graphs.metrics.plain.adjacency import adjacencies
from graphs.metrics.plain.isomorphism import isomorphism_classes
from graphs.metrics.plain.mmd import Vector, describe, distances
from refine_core.errors import InputError

if TYPE_CHECKING:
    import networkx as nx

    Graph: TypeAlias = nx.Graph[Any]
    Digraph: TypeAlias = nx.DiGraph[Any]

DISTANCES = ("in_degree", "out_degree", "clustering", "spectral")


def evaluate_digraphs(
    graphs: Sequence["Graph"], train: Sequence["Graph"], test: Sequence["Graph"]
) -> dict[str, float]:
    """Compare generated directed graphs with test graphs, and training graphs with test graphs.

    - in_degree, out_degree, clustering and spectral: squared MMD from test graphs, with `_train`
      and `_ratio` as in `graphs.metrics.plain_graphs.evaluate_graphs`; the last two ignore
      directions.
    - `ratio`: mean of the ratios defined.
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
    generated, trained_on, held_out = (_directed(part) for part in (graphs, train, test))
    vectors = {
        name: (_describe(generated, name), _describe(trained_on, name), _describe(held_out, name))
        for name in DISTANCES
    }
    numbers = isomorphism_classes([*trained_on, *generated], _key, _isomorphic)
    known, numbers = set(numbers[: len(trained_on)]), numbers[len(trained_on) :]
    acyclic, acyclic_train = (
        float(np.mean([nx.is_directed_acyclic_graph(graph) for graph in part]))
        for part in (generated, trained_on)
    )
    return distances(vectors) | {
        "unique": len(set(numbers)) / len(numbers),
        "novel": float(np.mean([number not in known for number in numbers])),
        "acyclic": acyclic,
        "acyclic_train": acyclic_train,
        "graphs": len(graphs),
        "train": len(train),
        "test": len(test),
    }


def _directed(graphs: Sequence["Graph"]) -> "list[Digraph]":
    import networkx as nx

    found = [graph for graph in graphs if isinstance(graph, nx.DiGraph)]
    if len(found) < len(graphs):
        raise InputError("Found an undirected graph; these metrics compare directed ones.")
    return found


def _describe(graphs: Sequence["Digraph"], name: str) -> Vector:
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


def _isomorphic(a: "Digraph", b: "Digraph") -> bool:
    """Tell whether some relabelling turns one graph into the other, with all labels."""
    from networkx.algorithms.isomorphism import DiGraphMatcher

    def agree(x: Mapping[str, object], y: Mapping[str, object]) -> bool:
        return x.get("label") == y.get("label")

    return bool(DiGraphMatcher(a, b, agree, agree).is_isomorphic())


def _key(graph: "Digraph") -> tuple[str, ...]:
    """Sorted colours after two rounds of refinement along and against the arcs."""
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
