"""Statistics of labelled graphs, whose law tells whether these are exchangeable."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphs.data.batch import GraphBatch
from refine_core.errors import InputError

if TYPE_CHECKING:
    import networkx as nx

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Graph = tuple[Ints, Ints]  # labels (n,); edges (e, 3): from, to, label; both directions

STATISTICS = (
    "degree by index",
    "label by index",
    "edge by pair of indices",
    "degree along indices",
    "distance of linked indices",
)


@dataclass(frozen=True)
class SameSize:
    """The m sampled graphs of one size n.

    Args:
        labels: (m, n) of nodes.
        edges: (e, 4): graph, from, to, label.
        key: (m, n) what a leaked order of nodes could follow; see `order_key`.
    """

    labels: Ints
    edges: Ints
    key: Ints

    @property
    def distinguishable(self) -> Flags:
        """(m,) whether a graph has more than one labelling."""
        varies: Flags = self.key.min(1) < self.key.max(1)
        return varies

    @property
    def kinds(self) -> int:
        """Labels of edges, counted from 0."""
        return int(self.edges[:, 3].max(initial=-1)) + 1

    @property
    def cells(self) -> int:
        """Entries of the largest array that one relabelling takes."""
        m, n = self.labels.shape
        sizes: tuple[int, ...] = (m * n, len(self.edges), self.kinds * n * n)
        return max(sizes)

    def shuffled(self, relabellings: int, random: np.random.Generator) -> Ints:
        """(relabellings, m, n) new index of every node, uniform and independent over graphs."""
        return random.random((relabellings, *self.labels.shape)).argsort(2)

    def sorted(self, chosen: Flags, random: np.random.Generator) -> Ints:
        """(1, m, n) the same, but by the key in the `chosen` (m,) graphs; ties at random."""
        chance = random.random(self.labels.shape)
        return np.where(chosen[:, None], chance + self.key, chance).argsort(1).argsort(1)[None]


def by_size(graphs: Sequence[Graph]) -> list[SameSize]:
    """Gather graphs by size, leaving out those of fewer than two nodes."""
    found = []
    for size in sorted({len(labels) for labels, _ in graphs} - {0, 1}):
        alike = [graph for graph in graphs if len(graph[0]) == size]
        owner = np.repeat(np.arange(len(alike)), [len(edges) for _, edges in alike])
        edges = np.column_stack([owner, np.concatenate([edges for _, edges in alike])])
        labels = np.stack([labels for labels, _ in alike])
        found.append(SameSize(labels, edges, order_key(labels, edges)))
    return found


def order_key(labels: Ints, edges: Ints) -> Ints:
    """(m, n) what an order of nodes that leaks could follow in each of m graphs.

    It is the falling degree; where all nodes have one degree, the label; where they have one
    label, the sum of the labels of edges; else the distance from node 0. It is the same for all
    nodes of a graph whose labellings are all the same, such as a complete graph of one label.

    Args:
        labels: (m, n) of nodes.
        edges: (e, 4): graph, from, to, label.
    """
    count, n = labels.shape
    ends = (edges[:, :1] * n + edges[:, 1:3]).ravel()
    kinds = edges[:, 3].repeat(2)
    degree = np.bincount(ends, minlength=count * n).reshape(count, n)
    strength = np.bincount(ends, kinds, count * n).astype(np.int64).reshape(count, n)
    key = np.zeros_like(labels)
    for candidate in (-degree, labels, strength, _distances(count, n, edges)):
        undecided = key.min(1) == key.max(1)
        key[undecided] = candidate[undecided]
    return key


def _distances(count: int, n: int, edges: Ints) -> Ints:
    """(count, n) distances of nodes from node 0; zeros in graphs without or with all edges."""
    linked = np.zeros((count, n, n), bool)
    linked[edges[:, 0], edges[:, 1], edges[:, 2]] = True
    linked |= linked.swapaxes(1, 2)
    distance = np.full((count, n), n, np.int64)
    distance[:, 0] = 0
    for step in range(1, n):
        reached = ((distance == step - 1)[:, :, None] & linked).any(1) & (distance == n)
        if not reached.any():
            break
        distance[reached] = step
    distance[np.isin(linked.sum((1, 2)), (0, n * (n - 1)))] = 0
    return distance


def statistics(parts: Sequence[SameSize], indices: Sequence[Ints]) -> Floats:
    """Statistics of r relabellings, each larger the further the graphs are from exchangeable.

    Counts c of an event at index i (or pair of indices) are summed as `(c_i - mean)^2 / mean` over
    indices, labels and sizes. The last two are absolute values of linear statistics less their
    expectations, pooled over sizes: `sum degree (i / (n - 1) - 1/2)` and
    `sum_edges |i - j| / (n + 1) - 1/3`.

    Args:
        parts: The graphs.
        indices: (r, m, n) the new index of every node, for each part.

    Returns:
        (r, 5) in the order of `STATISTICS`.
    """
    total = np.zeros((len(indices[0]), len(STATISTICS)))
    for part, index in zip(parts, indices, strict=True):
        r, _, n = index.shape
        graph, here, there, kind = part.edges.T
        i, j = index[:, graph, here], index[:, graph, there]
        labels, turn = int(part.labels.max()) + 1, np.arange(r)[:, None]
        pair = _counts(((turn * part.kinds + kind) * n + i) * n + j, (r, part.kinds, n, n))
        place = (turn[:, :, None] * labels + part.labels) * n + index
        degree = pair.sum((1, 2)) + pair.sum((1, 3))
        total[:, 0] += _spread(degree[:, None])
        total[:, 1] += _spread(_counts(place, (r, labels, n)))
        total[:, 2] += _spread(pair[:, :, ~np.eye(n, dtype=bool)])
        total[:, 3] += degree @ (np.arange(n) / (n - 1) - 0.5)
        total[:, 4] += (np.abs(i - j) / (n + 1) - 1 / 3).sum(1)
    return np.abs(total).round(9)  # so that equal labellings tie


def relabelled_statistics(
    parts: Sequence[SameSize], relabellings: int, random: np.random.Generator
) -> Floats:
    """(relabellings, 5) statistics of random relabellings, some at a time to bound the memory."""
    most = max(1, 50_000 // max(part.cells for part in parts))
    found = []
    for start in range(0, relabellings, most):
        count = min(most, relabellings - start)
        found.append(statistics(parts, [part.shuffled(count, random) for part in parts]))
    return np.concatenate(found)


def read(sampled: "GraphBatch | Iterable[nx.Graph[Any]]") -> list[Graph]:
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
    numbers: dict[Hashable, int] = {}
    graphs = list(sampled)
    if not all(hasattr(graph, "adjacency") for graph in graphs):
        raise InputError(
            f"Found samples of type {type(graphs[0]).__name__}, expected a GraphBatch or networkx "
            "graphs: convert them in the function that samples."
        )
    return [_from_networkx(graph, numbers) for graph in graphs]


def _from_networkx(graph: "nx.Graph[Any]", numbers: dict[Hashable, int]) -> Graph:
    def number(label: Hashable) -> int:
        return numbers.setdefault(label, len(numbers))

    place = {node: i for i, node in enumerate(graph)}
    labels = [number(data.get("label")) for _, data in graph.nodes(data=True)]
    edges = [
        (place[a], place[b], number(data.get("label")))
        for a, neighbours in graph.adjacency()
        for b, data in neighbours.items()
    ]
    triples = np.array(edges, dtype=np.int64).reshape(-1, 3)
    return np.array(labels, dtype=np.int64), triples[triples[:, 0] != triples[:, 1]]


def _counts(places: Ints, shape: tuple[int, ...]) -> Ints:
    """How often each cell of an array of this shape occurs among flat places."""
    return np.bincount(places.ravel(), minlength=int(np.prod(shape))).reshape(shape)


def _spread(counts: Ints) -> Floats:
    """(r,) sums over kinds and indices of `(c - mean)^2 / mean`, for counts (r, kinds, n)."""
    mean = counts.mean(-1, keepdims=True)
    spread: Floats = ((counts - mean) ** 2 / np.where(mean > 0, mean, 1)).sum((1, 2))
    return spread
