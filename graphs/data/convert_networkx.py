"""Graphs from and to networkx; `graphs.data.convert_pyg` has PyTorch Geometric.

Graphs have neither loops nor parallel edges; directed ones are stored as `graphs.data.arcs` says.
Labels of nodes and edges are optional, but either all of them have one or none has.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphs.data.arcs import OUT, as_arcs, as_edges, edge_names
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.data.store import GraphStore, collect
from refine_core.errors import InputError

if TYPE_CHECKING:
    import networkx as nx

PLAIN = ("",)
OF_FILES = {"node_default", "edge_default"}
"""Attributes that a reader of GraphML gives every graph."""
log = logging.getLogger(__name__)


def from_networkx(graphs: Iterable["nx.Graph[Any]"], *, label: str = "label") -> GraphStore:
    """Store networkx graphs.

    Numbers among the attributes of a graph become properties. Attributes of nodes and edges other
    than the label are left out, and named in the store's report.

    Args:
        graphs: All undirected, or all directed.
        label: Name of the attribute of nodes, and of edges, that holds their label, if any.

    Raises:
        InputError: Some graphs are directed and some are not, or a graph has a loop or parallel
            edges, or is labelled in part.

    >>> import networkx as nx
    >>> import graphs
    >>> store = graphs.from_networkx([nx.path_graph(3), nx.cycle_graph(4)])
    >>> len(store), store.sizes.tolist()
    (2, [3, 4])
    """
    nodes, ends, edges, directed = [], [], [], False
    attributes: list[Mapping[str, object]] = []
    ignored: set[str] = set()
    for number, graph in enumerate(graphs):
        if number and graph.is_directed() != directed:
            raise InputError(
                f"graph {number} is {'undirected' if directed else 'directed'} and those "
                "before are not; convert them with to_directed() or to_undirected()."
            )
        directed = graph.is_directed()
        if graph.is_multigraph() or any(a == b for a, b in graph.edges()):
            raise InputError(
                f"graph {number} has parallel edges or loops, or is a multigraph; expected at "
                "most one edge between two different nodes: convert it with networkx.Graph() and "
                "remove its loops."
            )
        place = {node: k for k, node in enumerate(graph)}
        pairs = [(place[a], place[b]) for a, b in graph.edges()]
        attributes.append({k: v for k, v in graph.graph.items() if k not in OF_FILES})
        for what, all_of_them in (
            ("nodes", [values for _, values in graph.nodes(data=True)]),
            ("edges", [values for *_, values in graph.edges(data=True)]),
        ):
            ignored |= {f"{name} of {what}" for values in all_of_them for name in values}
        nodes.append([values.get(label) for _, values in graph.nodes(data=True)])
        ends.append(np.array(pairs, np.int64).reshape(-1, 2))
        edges.append([values.get(label) for _, _, values in graph.edges(data=True)])
    ignored -= {f"{label} of nodes", f"{label} of edges"}
    return labelled(nodes, ends, edges, directed, attributes, ignored)


def labelled(
    nodes: Sequence[Sequence[object]],
    ends: Sequence[NDArray[Any]],
    edges: Sequence[Sequence[object]],
    directed: bool,
    attributes: Sequence[Mapping[str, object]] = (),
    ignored: Collection[str] = (),
) -> GraphStore:
    """Store graphs whose labels are any values, or None.

    Args:
        nodes: n labels of each graph.
        ends: (m, 2) of each, from where to where.
        edges: m labels of each.
        directed: Whether they are arcs.
        attributes: Attributes of each graph; numbers become properties.
        ignored: Names of attributes of nodes and edges that were left out; a warning tells of
            these, and of attributes of graphs that are no numbers.

    Raises:
        InputError: There is no graph, or they are labelled in part.
    """
    if not nodes:
        raise InputError("there are no graphs; expected one at least.")
    properties = _numeric(attributes)
    others = {name for graph in attributes for name in graph} - set(properties)
    ignored = sorted({*ignored, *(f"{name} of graphs" for name in others)})
    if ignored:
        log.warning("attributes left out: %s", ", ".join(ignored))
    node_numbers, edge_numbers = _names(nodes, "nodes"), _names(edges, "edges")
    if directed:
        ends, edges = zip(*map(as_edges, ends, edges), strict=True)
        names = edge_names({name for graph in edges for name in graph} or {OUT})
        edge_numbers = {name: k for k, name in enumerate(names)}
    return collect(
        [_numbers(labels, node_numbers, 0) for labels in nodes],
        ends,
        [_numbers(labels, edge_numbers, 1) for labels in edges],
        Vocabulary(tuple(node_numbers), tuple(edge_numbers), directed),
        {name: [_number(graph.get(name)) for graph in attributes] for name in properties},
        {"ignored": ignored} if ignored else {},
    )


def _numeric(attributes: Sequence[Mapping[str, object]]) -> list[str]:
    """Names of attributes that are numbers, in some graph at least."""
    names = dict.fromkeys(name for graph in attributes for name in graph)
    return [n for n in names if any(not np.isnan(_number(graph.get(n))) for graph in attributes)]


def _number(value: object) -> float:
    """A number, or NaN for anything else."""
    if isinstance(value, Tensor):
        return float(value) if value.numel() == 1 else np.nan
    return float(value) if isinstance(value, int | float | np.number) else np.nan


def _names(labels: Sequence[Sequence[object]], what: str) -> dict[str, int]:
    """Number the labels in sorted order, numbers as numbers."""
    try:
        found = {label for graph in labels for label in graph}
    except TypeError:
        raise InputError(f"labels of {what} have to be texts or numbers: convert them.") from None
    if found <= {None}:
        return {"": 0}
    if None in found:
        raise InputError(
            f"some {what} have a label and some do not; give all of them one, or none."
        )
    numbers = [label for label in found if isinstance(label, int | float)]
    ordered = sorted(numbers) if len(numbers) == len(found) else sorted(found, key=str)
    return {name: k for k, name in enumerate(dict.fromkeys(map(str, ordered)))}


def _numbers(labels: Sequence[object], names: Mapping[str, int], first: int) -> NDArray[np.int64]:
    """Number of each label; None is the first."""
    return np.array([first + names["" if x is None else str(x)] for x in labels], np.int64)


def to_networkx(
    batch: GraphBatch,
    vocabulary: Vocabulary = Vocabulary(),  # noqa: B008
) -> list["nx.Graph[int]"]:
    """Turn b graphs into networkx graphs, `DiGraph` if they are directed.

    Labels become the attribute `label`, but for those of a vocabulary without names.

    Args:
        batch: Graphs, of which padding is left out.
        vocabulary: The names of their labels, by default none; it says whether they are directed.

    >>> import networkx as nx
    >>> import torch
    >>> import graphs
    >>> store = graphs.from_networkx([nx.path_graph(3), nx.cycle_graph(4)])
    >>> (batch,) = store[torch.tensor([0, 1])]
    >>> [graph.number_of_edges() for graph in graphs.to_networkx(batch, store.vocabulary)]
    [2, 4]
    """
    import networkx as nx

    graphs, directed = [], vocabulary.directed
    for nodes, ends, edges in parts(batch):
        graph: nx.Graph[int] = nx.DiGraph() if directed else nx.Graph()
        graph.add_nodes_from(range(len(nodes)))
        if vocabulary.nodes != PLAIN:
            names = {k: vocabulary.nodes[node] for k, node in enumerate(nodes.tolist())}
            nx.set_node_attributes(graph, names, "label")
        for (i, j), e in zip(ends.tolist(), edges.tolist(), strict=True):
            name = "" if vocabulary.edges == PLAIN else vocabulary.edges[e - 1]
            for source, target, text in as_arcs(i, j, name) if directed else [(i, j, name)]:
                graph.add_edge(source, target, **({"label": text} if text else {}))
        graphs.append(graph)
    return graphs


def parts(batch: GraphBatch) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
    """Node labels (n,), ends (m, 2) and edge labels (m,) of each graph, without padding."""
    for nodes, edges, valid in zip(batch.nodes, batch.edges, batch.valid, strict=True):
        inside = edges[valid][:, valid]
        ends = torch.nonzero(inside.triu(1))
        yield nodes[valid], ends, inside[ends[:, 0], ends[:, 1]]
