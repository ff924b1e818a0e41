"""Graphs from and to PyTorch Geometric.

`graphs.data.convert_networkx` says what graphs may be.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graphs.data.arcs import as_arcs
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.data.convert_networkx import labelled, parts
from graphs.data.store import GraphStore
from refine_core.errors import InputError

if TYPE_CHECKING:
    from torch_geometric.data import Data

READ = {"x", "edge_index", "edge_attr", "num_nodes"}


def from_pyg(graphs: Iterable["Data"]) -> GraphStore:
    """Store PyTorch Geometric graphs.

    If `edge_index` holds both directions of every edge of every graph, with the same attributes,
    graphs are undirected, else directed. `x` and `edge_attr`, where present, are whole
    numbers or one-hot rows, and become the labels "0", "1", ...; single numbers, such as `y`,
    become properties. All else, such as `pos`, is left out, and named in the store's report.

    Args:
        graphs: Graphs of n nodes and e directed edges with `edge_index` (2, e), and perhaps `x`
            and `edge_attr`.

    Raises:
        InputError: A graph has loops or parallel edges, or its attributes are no labels.

    >>> import torch
    >>> from torch_geometric.data import Data
    >>> import graphs
    >>> ends = torch.tensor([[0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2]])
    >>> store = graphs.from_pyg([Data(x=torch.tensor([5, 5, 7]), edge_index=ends)])
    >>> store.sizes.tolist(), store.vocabulary.nodes, store.vocabulary.directed
    ([3], ('5', '7'), False)
    """
    nodes, ends, edges, graphs = [], [], [], list(graphs)
    directed = any(graph.num_edges and graph.is_directed() for graph in graphs)
    for number, graph in enumerate(graphs):
        index = graph.edge_index if graph.edge_index is not None else torch.zeros(2, 0).long()
        if bool((index[0] == index[1]).any()) or index.unique(dim=1).shape[1] < index.shape[1]:
            raise InputError(
                f"graph {number} has loops or parallel edges; expected neither: use "
                "torch_geometric.utils.remove_self_loops and coalesce."
            )
        once = (index[0] < index[1]) | directed
        nodes.append(_labels(graph.x, graph.num_nodes, f"x of graph {number}"))
        kinds = _labels(graph.edge_attr, index.shape[1], f"edge_attr of graph {number}")
        ends.append(index[:, once].T.cpu().numpy())
        edges.append([kind for kind, keep in zip(kinds, once.tolist(), strict=True) if keep])
    attributes = [{k: v for k, v in graph.to_dict().items() if k not in READ} for graph in graphs]
    return labelled(nodes, ends, edges, directed, attributes)


def _labels(values: Tensor | None, count: int, what: str) -> list[int | None]:
    """Read labels from whole numbers (n,), (n, 1), or one-hot rows (n, k)."""
    if values is None:
        return [None] * count
    flat = values.squeeze(-1) if values.ndim == 2 and values.shape[1] == 1 else values
    if flat.ndim == 2 and bool(((flat == 0) | (flat == 1)).all() and (flat.sum(1) == 1).all()):
        flat = flat.argmax(1)
    if flat.ndim != 1 or bool((flat != flat.round()).any() if flat.is_floating_point() else False):
        raise InputError(
            f"{what} of shape {tuple(values.shape)} holds no labels; expected whole numbers, or "
            "rows with a single 1."
        )
    return [int(value) for value in flat.tolist()]


def to_pyg(
    batch: GraphBatch,
    vocabulary: Vocabulary = Vocabulary(),  # noqa: B008
) -> list["Data"]:
    """Turn b graphs into PyTorch Geometric graphs: `x` (n,) and `edge_attr` (2m,) are labels.

    `edge_attr` counts from 0, as the vocabulary's names of edges do; of directed graphs, whose
    vocabulary has to be given, it is (m,), and counts the labels of arcs in sorted order.

    Args:
        batch: Graphs, of which padding is left out.
        vocabulary: The names of their labels, by default none.

    Raises:
        InputError: torch_geometric is not installed.

    >>> import networkx as nx
    >>> import torch
    >>> import graphs
    >>> store = graphs.from_networkx([nx.cycle_graph(4)])
    >>> (batch,) = store[torch.tensor([0])]  # or what `GraphModel.sample` returns
    >>> graphs.to_pyg(batch, store.vocabulary)
    [Data(x=[4], edge_index=[2, 8], edge_attr=[8], num_nodes=4)]
    """
    try:
        from torch_geometric.data import Data
    except ImportError:
        raise InputError("this needs PyTorch Geometric; pip install 'refine[graphs]'.") from None
    if vocabulary.directed:
        return [_arcs(*part, vocabulary) for part in parts(batch)]
    return [
        Data(
            x=nodes,
            edge_index=torch.cat([ends, ends.flip(1)]).T.contiguous(),
            edge_attr=edges.repeat(2) - 1,
            num_nodes=len(nodes),
        )
        for nodes, ends, edges in parts(batch)
    ]


def _arcs(nodes: Tensor, ends: Tensor, edges: Tensor, vocabulary: Vocabulary) -> "Data":
    """A directed graph."""
    from torch_geometric.data import Data

    known = sorted({text for name in vocabulary.edges for _, _, text in as_arcs(0, 1, name)})
    pairs = zip(ends.tolist(), edges.tolist(), strict=True)
    arcs = [arc for (i, j), e in pairs for arc in as_arcs(i, j, vocabulary.edges[e - 1])]
    index = torch.tensor([(source, target) for source, target, _ in arcs]).reshape(-1, 2).long()
    label = torch.tensor([known.index(text) for _, _, text in arcs]).long()
    return Data(x=nodes, edge_index=index.T.contiguous(), edge_attr=label, num_nodes=len(nodes))
