"""Small batches that show a broken symmetry: several sizes, cycles, indistinguishable nodes."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.invariance.relabelling import cycle_edges
from refine_core.errors import InputError

LARGE = 24
"""Nodes of the largest graph by default, so that a leak beyond a few nodes shows."""


def dense_example(
    dim: int = 4, seed: int = 0, nodes: int = LARGE
) -> tuple[Tensor, Tensor, Tensor]:
    """Padded graphs of one to seven nodes, and a larger one.

    Args:
        dim: Features of a node, standard normal; equal over the nodes of some graphs.
        seed: Seed of the features.
        nodes: Of the largest graph; with 7 or less there is no larger one.

    Returns:
        x (b, n, dim), adjacency (b, n, n) of zeros and ones, and valid (b, n) bool.

    >>> from graphs.invariance import dense_example
    >>> x, adjacency, valid = dense_example(dim=4)
    >>> x.shape, adjacency.shape, valid.sum(1).tolist()
    (torch.Size([10, 24, 4]), torch.Size([10, 24, 24]), [4, 2, 1, 5, 6, 6, 5, 4, 7, 24])
    """
    graphs = _graphs(nodes)
    n = max(count for count, _, _ in graphs)
    random = torch.Generator().manual_seed(seed)
    x, adjacency = torch.zeros(len(graphs), n, dim), torch.zeros(len(graphs), n, n)
    for i, (count, edges, tied) in enumerate(graphs):
        features = torch.randn(count, dim, generator=random)
        x[i, :count] = features[:1] if tied else features
        adjacency[i, edges[0], edges[1]] = 1
    sizes = torch.tensor([count for count, _, _ in graphs])
    return x, adjacency, torch.arange(n) < sizes[:, None]


def graph_example(
    vocabulary: Vocabulary | None = None, seed: int = 0, nodes: int = 0
) -> GraphBatch:
    """The same graphs with random labels of a vocabulary, by default without names.

    By default there is no larger one, as generators of small graphs cannot make it.

    Args:
        vocabulary: The names of labels.
        seed: Seed of the labels.
        nodes: Of the largest graph; with 7 or less there is no larger one.

    >>> from graphs.invariance import graph_example
    >>> graph_example().sizes.tolist()
    [4, 2, 1, 5, 6, 6, 5, 4, 7]
    """
    vocabulary = vocabulary or Vocabulary()
    _, adjacency, valid = dense_example(1, seed, nodes)
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(len(vocabulary.nodes), valid.shape, generator=random) * valid
    for i, (_, _, tied) in enumerate(_graphs(nodes)):
        labels[i] = torch.where(valid[i], labels[i, 0], 0) if tied else labels[i]
    edges = torch.randint(1, len(vocabulary.edges) + 1, adjacency.shape, generator=random).triu(1)
    reverse = vocabulary.reverse
    back = edges if reverse is None else F.pad(reverse + 1, (1, 0))[edges]
    edges = (edges + back.mT) * adjacency.long()
    return GraphBatch(labels, edges, valid)


def pyg_example(dim: int = 4, seed: int = 0, nodes: int = LARGE) -> Any:
    """The graphs of `dense_example` as a PyG `Batch` of `Data(x, edge_index)`.

    Args:
        dim: Features of a node, standard normal; equal over the nodes of some graphs.
        seed: Seed of the features.
        nodes: Of the largest graph; with 7 or less there is no larger one.

    Raises:
        InputError: torch_geometric is not installed.

    >>> from graphs.invariance import pyg_example
    >>> batch = pyg_example(dim=4)
    >>> batch.num_graphs, batch.x.shape
    (10, torch.Size([64, 4]))
    """
    try:
        from torch_geometric.data import Batch, Data
    except ImportError:
        raise InputError(
            "Found no torch_geometric, expected it for a PyG batch: "
            "`pip install 'refine[graphs]'`."
        ) from None
    x, _, valid = dense_example(dim, seed, nodes)
    parts = zip(x, valid, _graphs(nodes), strict=True)
    return Batch.from_data_list(
        [Data(x=row[real], edge_index=edges) for row, real, (_, edges, _) in parts]
    )


def _graphs(nodes: int) -> list[tuple[int, Tensor, bool]]:
    """Nodes, edges (2, e) in both directions, and whether features are equal, of each graph.

    The first graph has several nodes that differ, so that a module shows which takes the first
    row of a batch for that of each graph. A cycle of six and two triangles have the same
    neighbourhoods, so that message passing cannot tell them apart. The last graph, of `nodes`
    nodes if that is more than seven, is a cycle with chords.
    """
    path, star = torch.tensor([[0, 1, 2], [1, 2, 3]]), torch.tensor([[0, 0, 0, 0], [1, 2, 3, 4]])
    whole = torch.tensor([(i, j) for i in range(4) for j in range(i)]).T
    kite = torch.tensor([[0, 1, 2, 2, 3, 4, 5], [1, 2, 0, 3, 4, 5, 6]])

    def both(edges: Tensor) -> Tensor:
        return torch.cat([edges, edges.flip(0)], 1)

    graphs = [
        (4, both(path), False),
        (2, cycle_edges(2), True),
        (1, cycle_edges(1), False),
        (5, cycle_edges(5), True),
        (6, cycle_edges(6), True),
        (6, torch.cat([cycle_edges(3), cycle_edges(3) + 3], 1), True),
        (5, both(star), True),
        (4, both(whole), False),
        (7, both(kite), False),
    ]
    if nodes > 7:
        here = torch.arange(0, nodes // 2, 3)
        chords = both(torch.stack([here, here + nodes // 2]))
        graphs.append((nodes, torch.cat([cycle_edges(nodes), chords], 1), False))
    return graphs
