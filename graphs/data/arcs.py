"""Directed graphs: an edge has a label at each end, and one is the reverse of the other.

Between two nodes there is one edge or none. Seen from node i, its label says that an arc goes to
the other node (">:a", a being the arc's own label), comes from it ("<:a"), or that there is one
each way ("=:", then the two labels, out and in). Undirected graphs are the case in which every
label is its own reverse, so one code serves both, and every sample is a simple directed graph.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OUT, IN, BOTH = ">:", "<:", "=:"


def reversed_name(name: str) -> str:
    """The label of an edge as seen from its other end.

    >>> [reversed_name(name) for name in (">:a", "<:a", '=:["a", "b"]')]
    ['<:a', '>:a', '=:["b", "a"]']
    """
    kind, label = name[:2], name[2:]
    if kind == BOTH:
        return BOTH + json.dumps(json.loads(label)[::-1])
    return {OUT: IN, IN: OUT}[kind] + label


def edge_names(arcs: Iterable[str]) -> list[str]:
    """Names of edges and their reverses, sorted."""
    return sorted({name for arc in arcs for name in (arc, reversed_name(arc))})


def as_edges(arcs: NDArray[Any], labels: Sequence[object]) -> tuple[NDArray[np.int64], list[str]]:
    """One edge for each pair of nodes with arcs between them.

    Args:
        arcs: (m, 2) source and target of each, no two equal.
        labels: m labels of the arcs; None is none.

    Returns:
        (e, 2) ends, and e names, seen from the first of them.
    """
    named = {(int(i), int(j)): _text(x) for (i, j), x in zip(arcs, labels, strict=True)}
    ends, names = [], []
    for (i, j), label in named.items():
        back = named.get((j, i))
        if back is not None and i > j:
            continue
        ends.append((i, j))
        names.append(OUT + label if back is None else BOTH + json.dumps([label, back]))
    return np.array(ends, np.int64).reshape(-1, 2), names


def as_arcs(i: int, j: int, name: str) -> list[tuple[int, int, str]]:
    """Source, target and label of the arcs that an edge, seen from i, stands for.

    >>> as_arcs(0, 1, '=:["a", ""]')
    [(0, 1, 'a'), (1, 0, '')]
    """
    kind, label = name[:2], name[2:]
    if kind == BOTH:
        out, back = json.loads(label)
        return [(i, j, out), (j, i, back)]
    return [(i, j, label) if kind == OUT else (j, i, label)]


def _text(label: object) -> str:
    return "" if label is None else str(label)
