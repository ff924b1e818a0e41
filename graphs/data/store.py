"""Many graphs of unequal size in flat, memory-mapped arrays.

Graph k owns the nodes from `node_start[k]` to before `node_start[k + 1]` of the flat arrays, its
edges likewise; both ends of an edge are numbered within their graph. One file holds everything and
is read as it is needed, so memory does not grow with the number of graphs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.data.disk_array import write_safetensors
from refine_core.errors import InputError
from refine_core.storage.files import atomic_write, digest

Array = NDArray[Any]
PROPERTY = "property:"
Report = TypedDict(
    "Report",
    {
        "kept": int,
        "skipped": int,
        "dropped": dict[str, int],
        "in several pieces": int,
        "ignored": list[str],
        "duplicates": int,
        "repeats left out of validation and test": int,
    },
    total=False,
)
"""What became of the source of graphs while it was read, as a user sees it: counts of rows, of
graphs that lost something, and names of attributes that were left out."""


@dataclass(frozen=True)
class Ragged:
    """The flat arrays of N graphs.

    Args:
        node_start: (N + 1,) int64.
        nodes: (nodes of all graphs,) node labels.
        edge_start: (N + 1,) int64.
        ends: (edges of all graphs, 2) the two nodes that an edge joins, each edge once.
        edges: (edges of all graphs,) edge labels, 1 and up, seen from the first of these.
        text_start: (N + 1,) int64, or None where graphs have no text.
        text: (bytes of all graphs,) uint8, UTF-8; the canonical SMILES of molecules.
        sites: (edges of all graphs, 2) uint8, see `GraphBatch`; None where nodes are atoms.
    """

    node_start: Array
    nodes: Array
    edge_start: Array
    ends: Array
    edges: Array
    text_start: Array | None = None
    text: Array | None = None
    sites: Array | None = None


@dataclass(frozen=True)
class GraphStore:
    """`refine_core.training.data.Data` of graphs, each sample a graph.

    Args:
        arrays: The graphs.
        vocabulary: What the labels mean.
        properties: Numeric columns, name -> (N,) float32, NaN where a value is missing.
        report: What became of the source while it was read.
        rows: (n,) int64, the graphs that this store shows, in this order; all when None.
    """

    arrays: Ragged
    vocabulary: Vocabulary
    properties: Mapping[str, Array] = field(default_factory=dict)
    report: Report = field(default_factory=Report)
    rows: Array | None = None

    def __len__(self) -> int:
        """Count of graphs."""
        return len(self.arrays.node_start) - 1 if self.rows is None else len(self.rows)

    def __getitem__(self, index: Tensor) -> tuple[GraphBatch]:
        """Graphs at `index` (b,) int64, padded to the largest of them."""
        arrays, rows = self.arrays, self._rows(index)
        size, nodes = _gather(arrays.node_start, rows)
        count, edges = _gather(arrays.edge_start, rows)
        n = int(size.max(initial=0))
        valid = np.arange(n) < size[:, None]
        node = np.zeros(valid.shape, np.int64)
        node[valid] = arrays.nodes[nodes]
        owner = np.repeat(np.arange(len(rows)), count)
        first, second = arrays.ends[edges].T
        edge, label = np.zeros((len(rows), n, n), np.int64), arrays.edges[edges]
        edge[owner, first, second] = label
        reverse = self.vocabulary.reverse
        edge[owner, second, first] = label if reverse is None else 1 + reverse.numpy()[label - 1]
        tables = [node, edge, valid]
        if arrays.sites is not None:
            site = np.zeros(edge.shape, np.int64)
            site[owner, first, second], site[owner, second, first] = arrays.sites[edges].T
            tables.append(site)
        return (GraphBatch(*map(torch.from_numpy, tables)),)

    def subset(self, index: Tensor | Array) -> "GraphStore":
        """Show only the graphs at `index` (n,) int64, in that order, sharing the arrays."""
        rows = self._rows(torch.as_tensor(index))
        properties = {name: column[index] for name, column in self.properties.items()}
        return GraphStore(self.arrays, self.vocabulary, properties, self.report, rows)

    @property
    def sizes(self) -> Tensor:
        """(N,) int64 nodes of each graph."""
        size = np.diff(self.arrays.node_start)
        return torch.from_numpy(size if self.rows is None else size[self.rows])

    def digest(self) -> str:
        """Sixteen digits that tell these graphs, their labels and properties from others."""
        own = self.arrays
        arrays = [own.node_start, own.nodes, own.edge_start, own.ends, own.edges]
        given = [array for array in (own.sites, self.rows) if array is not None]
        columns = [self.properties[name] for name in sorted(self.properties)]
        return digest(json.dumps(asdict(self.vocabulary)), *arrays, *given, *columns)

    def text(self, index: Tensor | int) -> list[str]:
        """Text of the graphs at `index` (b,), the canonical SMILES of molecules.

        Raises:
            InputError: These graphs have none.
        """
        if self.arrays.text_start is None or self.arrays.text is None:
            raise InputError("These graphs are not molecules, so they have no SMILES.")
        start, rows = self.arrays.text_start, self._rows(torch.as_tensor(index).reshape(-1))
        pairs = zip(start[rows], start[rows + 1], strict=True)
        return [self.arrays.text[a:b].tobytes().decode() for a, b in pairs]

    def smiles(self, index: int) -> str:
        """Canonical SMILES of one molecule."""
        return self.text(index)[0]

    def _rows(self, index: Tensor) -> NDArray[np.int64]:
        """Rows of the arrays at `index` of this store, negative ones counted from its end."""
        rows = np.arange(len(self)) if self.rows is None else self.rows
        return np.asarray(rows[index.cpu().numpy()], np.int64)


def _gather(start: Array, rows: NDArray[np.int64]) -> tuple[Array, Array]:
    """Count the items of each of `rows` (b,), and list their places in the flat array."""
    count = start[rows + 1] - start[rows]
    before = np.cumsum(count) - count
    return count, np.arange(count.sum()) + np.repeat(start[rows] - before, count)


def collect(
    nodes: Sequence[Array],
    ends: Sequence[Array],
    edges: Sequence[Array],
    vocabulary: Vocabulary,
    properties: Mapping[str, Sequence[float] | Array] | None = None,
    report: Report | None = None,
) -> GraphStore:
    """Store graphs given one by one.

    Args:
        nodes: Node labels (n,) of each graph.
        ends: Nodes (m, 2) that each edge of a graph joins, each edge once.
        edges: Edge labels (m,) of each graph, 1 and up.
        vocabulary: What the labels mean.
        properties: Numeric columns, name -> (N,).
        report: See `GraphStore`.
    """
    largest = max((len(graph) for graph in nodes), default=0)
    arrays = Ragged(
        node_start=starts([len(graph) for graph in nodes]),
        nodes=_join(nodes, (0,), len(vocabulary.nodes)),
        edge_start=starts([len(graph) for graph in edges]),
        ends=_join(ends, (0, 2), largest),
        edges=_join(edges, (0,), len(vocabulary.edges)),
    )
    columns = {name: np.asarray(column, np.float32) for name, column in (properties or {}).items()}
    return GraphStore(arrays, vocabulary, columns, report or Report())


def starts(counts: Sequence[int] | Array) -> NDArray[np.int64]:
    """Where each part begins in the joined array, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


def _join(parts: Sequence[Array], empty: tuple[int, ...], top: int) -> Array:
    """Concatenate arrays of numbers up to `top` in the smallest type that holds them."""
    joined = np.concatenate(parts) if parts else np.zeros(empty)
    return joined.astype(np.min_scalar_type(top))


def save(store: GraphStore, path: Path) -> None:
    """Write a whole store (not a subset) to one file."""
    assert store.rows is None, "a subset shares arrays that are not its own"
    named = {PROPERTY + name: column for name, column in store.properties.items()}
    named |= {name: array for name, array in vars(store.arrays).items() if array is not None}
    metadata = {
        "vocabulary": json.dumps(asdict(store.vocabulary)),
        "report": json.dumps(dict(store.report)),
    }
    with atomic_write(path) as temporary:
        write_safetensors(temporary, named, metadata)


def load(path: Path) -> GraphStore:
    """Map a file that `save` wrote into memory."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        arrays = {name: file.get_tensor(name).numpy() for name in file.keys()}
    names = sorted(name for name in arrays if name.startswith(PROPERTY))
    return GraphStore(
        arrays=Ragged(**{name: a for name, a in arrays.items() if not name.startswith(PROPERTY)}),
        vocabulary=Vocabulary(**json.loads(metadata["vocabulary"])),
        properties={name.removeprefix(PROPERTY): arrays[name] for name in names},
        report=json.loads(metadata["report"]),
    )
