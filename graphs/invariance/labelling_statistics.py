"""Statistics of labelled graphs, which tell a law that depends on the labelling."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.data.batch import GraphBatch
from refine_core.errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Graph = tuple[Ints, Ints]  # labels (n,); edges (e, 3): from, to, label; both directions

STATISTICS = (
    "degree by index",
    "label by index",
    "edge by pair of indices",
    "degree along indices",
    "distance of linked indices",
)


@dataclass(frozen=True)
class Group:
    """The m graphs of one size n.

    Args:
        labels: (m, n) of nodes.
        edges: (e, 4): graph, from, to, label.
        degree: (m, n).
    """

    labels: Ints
    edges: Ints
    degree: Ints

    def shuffled(self, random: np.random.Generator) -> Ints:
        """(m, n) new index of every node, uniform and independent over graphs."""
        return random.random(self.labels.shape).argsort(1)

    def ranked(self, chosen: NDArray[np.bool_], random: np.random.Generator) -> Ints:
        """The same, but by falling degree in the `chosen` (m,) graphs; ties at random."""
        chance = random.random(self.labels.shape)
        key = np.where(chosen[:, None], chance - self.degree, chance)
        return key.argsort(1).argsort(1)


def groups(graphs: Sequence[Graph]) -> list[Group]:
    """Gather graphs by size, leaving out those of fewer than two nodes."""
    found = []
    for size in sorted({len(labels) for labels, _ in graphs} - {0, 1}):
        mine = [graph for graph in graphs if len(graph[0]) == size]
        owner = np.repeat(np.arange(len(mine)), [len(edges) for _, edges in mine])
        edges = np.column_stack([owner, np.concatenate([edges for _, edges in mine])])
        ends = owner[:, None] * size + edges[:, 1:3]
        degree = np.bincount(ends.ravel(), minlength=len(mine) * size).reshape(-1, size)
        found.append(Group(np.stack([labels for labels, _ in mine]), edges, degree))
    return found


def statistics(parts: Sequence[Group], indices: Sequence[Ints]) -> Floats:
    """The statistics, each larger the further the graphs are from exchangeable.

    Counts c of an event at index i (or pair of indices) are summed as `(c_i - mean)^2 / mean` over
    indices, labels and sizes. The last two are absolute values of linear statistics less their
    expectations, pooled over sizes: `sum degree (i / (n - 1) - 1/2)` and
    `sum_edges |i - j| / (n + 1) - 1/3`.

    Args:
        parts: The graphs.
        indices: Of each part (m, n), the new index of every node.

    Returns:
        (5,) in the order of `STATISTICS`.
    """
    total = np.zeros(len(STATISTICS))
    for part, index in zip(parts, indices, strict=True):
        n = index.shape[1]
        graph, here, there, kind = part.edges.T
        i, j = index[graph, here], index[graph, there]
        kinds, labels = int(kind.max(initial=-1)) + 1, int(part.labels.max()) + 1
        pair = np.bincount((kind * n + i) * n + j, minlength=kinds * n * n).reshape(kinds, n, n)
        label = np.bincount((part.labels * n + index).ravel(), minlength=labels * n)
        degree = pair.sum((0, 1)) + pair.sum((0, 2))
        apart = pair[:, ~np.eye(n, dtype=bool)]
        total += (
            _spread(degree[None]),
            _spread(label.reshape(labels, n)),
            _spread(apart),
            float(degree @ (np.arange(n) / (n - 1) - 0.5)),
            float((np.abs(i - j) / (n + 1) - 1 / 3).sum()),
        )
    return np.abs(total).round(9)  # so that equal labellings tie


def read(sampled: GraphBatch | Iterable[Any]) -> list[Graph]:
    """Graphs as arrays; those of networkx with their attributes `label`, in order of nodes.

    Raises:
        InputError: It is neither.
    """
    if isinstance(sampled, GraphBatch):
        cpu, found = sampled.to("cpu"), []
        for nodes, edges, valid in zip(cpu.nodes, cpu.edges, cpu.valid, strict=True):
            inner = edges[valid][:, valid]
            ends = inner.nonzero()
            triples = np.column_stack([ends.numpy(), inner[ends[:, 0], ends[:, 1]].numpy()])
            found.append((nodes[valid].numpy().astype(np.int64), triples.astype(np.int64)))
        return found
    names: dict[Any, int] = {}
    graphs = list(sampled)
    if not all(hasattr(graph, "adjacency") for graph in graphs):
        raise InputError(
            f"Found samples of type {type(graphs[0]).__name__}, expected a GraphBatch or networkx "
            "graphs: convert them in the function that samples."
        )
    return [_from_networkx(graph, names) for graph in graphs]


def _from_networkx(graph: Any, names: dict[Any, int]) -> Graph:
    def number(label: Any) -> int:
        return names.setdefault(label, len(names))

    place = {node: i for i, node in enumerate(graph)}
    labels = [number(label) for _, label in graph.nodes(data="label")]
    edges = [
        (place[a], place[b], number(label))
        for a, neighbours in graph.adjacency()
        for b, label in ((b, data.get("label")) for b, data in neighbours.items())
    ]
    triples = np.array(edges, dtype=np.int64).reshape(-1, 3)
    return np.array(labels, dtype=np.int64), triples[triples[:, 0] != triples[:, 1]]


def _spread(counts: Ints) -> float:
    """Sum over kinds of `(c - mean)^2 / mean` along the last axis."""
    mean = counts.mean(-1, keepdims=True)
    return float(((counts - mean) ** 2 / np.where(mean > 0, mean, 1)).sum())
