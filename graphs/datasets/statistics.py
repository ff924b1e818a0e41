"""Facts about all graphs of a store, gathered batch by batch."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from graphs.data.arcs import BOTH
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.data.store import GraphStore

PAIRS = 2**24
"""Pairs of nodes in a batch, at most, unless a single graph has more."""


def batches(store: GraphStore) -> Iterator[GraphBatch]:
    """All graphs of a store, in order, up to 10,000 at a time."""
    widest = max(1, int(store.sizes.max())) if len(store) else 1
    size = min(10_000, max(1, PAIRS // widest**2))
    for index in torch.arange(len(store)).split(size):
        yield store[index][0]


def max_counts(store: GraphStore) -> tuple[int, ...]:
    """Largest count of nodes of each label, then of edges of each label, in a graph."""
    labels, kinds = len(store.vocabulary.nodes), len(store.vocabulary.edges)
    most = torch.zeros(labels + kinds, dtype=torch.int64)
    for graphs in batches(store):
        nodes = torch.zeros(len(graphs), labels, dtype=torch.int64)
        nodes.scatter_add_(1, graphs.nodes, graphs.valid.long())
        # Every edge is in the matrix twice, an arc with a label and its reverse.
        each = [(graphs.edges == e + 1).sum((1, 2)) for e in range(kinds)]
        edges = each if store.vocabulary.directed else [count // 2 for count in each]
        counts = torch.cat([nodes, torch.stack(edges, 1)], 1)
        most = torch.maximum(most, counts.amax(0))
    return tuple(most.tolist())


def node_sizes(vocabulary: Vocabulary) -> torch.Tensor:
    """(T,) int64 atoms of each label of nodes, where some are fragments of molecules; else 1.

    >>> node_sizes(Vocabulary(("C", "C1CC1"), ("SINGLE",))).tolist()
    [1, 3]
    """
    if not vocabulary.has_fragments:
        return torch.ones(len(vocabulary.nodes), dtype=torch.int64)
    from graphs.chem.fragments import Fragment

    return torch.tensor([len(Fragment.named(name).atoms) for name in vocabulary.nodes])


def largest_size(store: GraphStore) -> int:
    """Nodes of the largest graph; fragments count as `node_sizes` says."""
    of_label = node_sizes(store.vocabulary)
    sizes = ((of_label[graphs.nodes] * graphs.valid).sum(1) for graphs in batches(store))
    return max(int(each.max()) for each in sizes)


def all_acyclic(store: GraphStore) -> bool:
    """Whether graphs are directed, and none has a cycle."""
    outward = store.vocabulary.outward
    if outward is None or any(name.startswith(BOTH) for name in store.vocabulary.edges):
        return False
    table = F.pad(outward, (1, 0))
    for graphs in batches(store):
        arcs, left = table[graphs.edges], graphs.valid
        while bool(left.any()):
            # Nodes without arcs from those that are left are taken away.
            after = left & (arcs & left[:, :, None]).any(1)
            if torch.equal(after, left):
                return False
            left = after
    return True


def all_connected(store: GraphStore) -> bool:
    """Whether every graph is in one piece."""
    for graphs in batches(store):
        reach = graphs.edges > 0
        reach = reach | torch.diag_embed(graphs.valid)
        for _ in range(max(1, int(graphs.sizes.max()).bit_length())):
            reach = (reach.float() @ reach.float()) > 0
        if not bool((reach.sum((1, 2)) == graphs.sizes**2).all()):
            return False
    return True
