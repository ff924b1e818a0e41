"""Directed graphs as undirected ones, and back.

An arc from u to v becomes a node of its own, joined to u by an edge "tail" and to v by an edge
"head" (the incidence graph). That is one to one up to relabelling, so what is said of undirected
graphs (invariance, exact sums, bounds) holds of directed ones, and nothing else has to know them.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphs.graph import GraphBatch, Vocabulary

if TYPE_CHECKING:
    import networkx as nx

ARC, TAIL, HEAD = "->", "tail", "head"
"""Labels: nodes that stand for arcs begin with the first, the arc's own label behind it."""


def is_directed(vocabulary: Vocabulary) -> bool:
    """Whether the labels are those of incidence graphs.

    >>> is_directed(Vocabulary(("", "->"), ("head", "tail"))), is_directed(Vocabulary())
    (True, False)
    """
    arcs = any(name.startswith(ARC) for name in vocabulary.nodes)
    return arcs and set(vocabulary.edges) == {TAIL, HEAD}


def incidence(
    nodes: Sequence[Any], arcs: NDArray[Any], labels: Sequence[Any]
) -> tuple[list[str], NDArray[np.int64], list[str]]:
    """Nodes, ends and edge labels of the incidence graph.

    Args:
        nodes: n labels; None is none.
        arcs: (m, 2) from where to where.
        labels: m labels of the arcs, likewise.

    Returns:
        n + m labels of nodes, the arcs' behind the others, (2m, 2) ends, 2m labels.
    """
    count, middle = len(arcs), len(nodes) + np.arange(len(arcs))
    ends = np.concatenate(
        [np.stack([arcs[:, 0], middle], 1), np.stack([arcs[:, 1], middle], 1)]
    ).astype(np.int64)
    names = ["" if label is None else str(label) for label in (*nodes, *labels)]
    names[len(nodes) :] = [ARC + name for name in names[len(nodes) :]]
    return names, ends, [TAIL] * count + [HEAD] * count


def to_digraphs(batch: GraphBatch, vocabulary: Vocabulary) -> list["nx.DiGraph[int] | None"]:
    """The directed graph of each of b incidence graphs; labels become the attribute `label`.

    None where there is none: an arc has not exactly one tail and one head, begins where it ends,
    or is there twice, or an edge joins two nodes or two arcs.
    """
    return [_digraph(*part, vocabulary) for part in parts(batch)]


def parts(batch: GraphBatch) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
    """Node labels (n,), ends (m, 2) and edge labels (m,) of each graph, without padding."""
    for nodes, edges, valid in zip(batch.nodes, batch.edges, batch.valid, strict=True):
        inside = edges[valid][:, valid]
        ends = torch.nonzero(inside.triu(1))
        yield nodes[valid], ends, inside[ends[:, 0], ends[:, 1]]


def _digraph(
    nodes: Tensor, ends: Tensor, edges: Tensor, vocabulary: Vocabulary
) -> "nx.DiGraph[int] | None":
    import networkx as nx

    names = [vocabulary.nodes[node] for node in nodes.tolist()]
    found: dict[str, dict[int, int]] = {TAIL: {}, HEAD: {}}  # of each arc
    for pair, edge in zip(ends.tolist(), edges.tolist(), strict=True):
        inner, outer = sorted(pair, key=lambda node: not names[node].startswith(ARC))
        role = found[vocabulary.edges[edge - 1]]
        if not names[inner].startswith(ARC) or names[outer].startswith(ARC) or inner in role:
            return None
        role[inner] = outer
    arcs = [node for node, name in enumerate(names) if name.startswith(ARC)]
    if not found[TAIL].keys() == found[HEAD].keys() == set(arcs):
        return None
    graph: nx.DiGraph[int] = nx.DiGraph()
    place: dict[int, int] = {}
    for node, name in enumerate(names):
        if not name.startswith(ARC):
            place[node] = len(place)
            graph.add_node(place[node], **_label(name))
    for arc in arcs:
        source, target = place[found[TAIL][arc]], place[found[HEAD][arc]]
        if source == target or graph.has_edge(source, target):
            return None
        graph.add_edge(source, target, **_label(names[arc].removeprefix(ARC)))
    return graph


def _label(name: str) -> dict[str, str]:
    return {"label": name} if name else {}
