"""The forward process: contraction of a graph to one cluster, as a binary tree.

Clusters joined by an edge are merged two at a time, along a random matching, until one is left.
Small clusters go first, so a tree over n nodes is about log2(n) deep. The tree depends on the
graph and on one random number per node, never on the order of the nodes: it is equivariant, and
with exchangeable numbers exchangeable.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch, permuted
from graphs.data.edge_list import sparse_product
from graphs.generators.common.config import Matching

SMALL = 6
"""Nodes of clusters that are too small for their edges to show whether they are one community."""
LAST = 1e6
"""Factor of a cost that puts a pair after all others."""


@dataclass(frozen=True)
class Tree:
    """Binary trees over the nodes of b graphs: 2 n - 1 tree nodes, the first n of them leaves.

    Args:
        children: (b, 2n - 1, 2) int64 tree nodes merged into each, -1 at leaves and padding.
        members: (b, 2n - 1, n) bool, the graph's nodes in each.
        root: (b,) int64.
    """

    children: Tensor
    members: Tensor
    root: Tensor


def contract(
    graphs: GraphBatch,
    node_noise: Tensor,
    matching: Matching = "random",
    arcs: Tensor | None = None,
) -> Tree:
    """Draw one tree per graph.

    Components of a disconnected graph are merged last, as if joined. With arcs, clusters never
    are on a directed cycle: two are merged only if no other path leads from one to the other.

    Args:
        graphs: b graphs, each of at least one node.
        node_noise: (b, n) numbers in [0, 1), independent and uniform, which break symmetries.
        matching: The neighbour that a cluster prefers, see `_cost`.
        arcs: (b, n, n) bool of directed acyclic graphs, from row to column; None of others.
    """
    count, n = graphs.nodes.shape
    members = torch.zeros(count, 2 * n - 1, n, dtype=torch.bool, device=node_noise.device)
    members[:, :n] = torch.diag_embed(graphs.valid)
    children = torch.full((count, 2 * n - 1, 2), -1, device=node_noise.device)
    node = torch.arange(n, device=node_noise.device).repeat(count, 1)  # each cluster's tree node
    used = torch.full_like(node[:, 0], n)  # tree nodes so far
    real, size = graphs.valid.clone(), graphs.valid.long()
    weight = (graphs.edges > 0).float()
    ring = on_rings(weight) if matching == "rings" else None
    noise = node_noise.double().clone()
    paths = None if arcs is None else reachable(arcs)
    for step in range(n):
        if not bool((real.sum(1) > 1).any()):
            break
        mergeable = weight
        if paths is not None:
            around = (paths.float() @ paths.float()) > 0
            mergeable = weight * ~(around | around.mT)
        partner = _matching(mergeable, ring, real, size, noise, step, matching)
        if paths is not None:
            partner = _acyclic(partner, paths, noise)
        first = partner > torch.arange(partner.shape[1], device=partner.device)
        b, i = torch.nonzero(first, as_tuple=True)
        j = partner[b, i]
        new = used[b] + first.cumsum(1)[b, i] - 1
        children[b, new] = torch.stack([node[b, i], node[b, j]], 1)
        members[b, new] = members[b, node[b, i]] | members[b, node[b, j]]
        used = used + first.sum(1)
        node[b, i], real[b, j] = new, False
        size[b, i] += size[b, j]
        # Symmetric in both clusters, for which of them comes first depends on the order of nodes.
        noise[b, i] = (noise[b, i] + noise[b, j]) % 1
        left = (~real).long().argsort(dim=1, stable=True)[:, : int(real.sum(1).max())]
        node, real, size, noise = (x.gather(1, left) for x in (node, real, size, noise))
        weight = _merged(weight, (b, i, j), left)
        ring = None if ring is None else _merged(ring, (b, i, j), left)
        if paths is not None:
            merged = _merged(paths.float(), (b, i, j), left) > 0
            merged.diagonal(dim1=1, dim2=2).zero_()
            paths = reachable(merged)
    single = graphs.valid.long().argmax(1)
    return Tree(children, members, torch.where(used > n, used - 1, single))


def _merged(table: Tensor, pairs: tuple[Tensor, Tensor, Tensor], left: Tensor) -> Tensor:
    """Sums (b, m', m') of tables (b, m, m) after merging.

    Args:
        table: Of pairs of clusters.
        pairs: (t,) the graph, and the two clusters that become one, named by the first.
        left: (b, m') clusters that are left.
    """
    b, i, j = pairs
    table = table.clone()
    table[b, i] += table[b, j]
    table[b, :, i] += table[b, :, j]
    table[b, j], table[b, :, j] = 0, 0
    return permuted(table, left)


def _matching(
    weight: Tensor,
    ring: Tensor | None,
    real: Tensor,
    size: Tensor,
    noise: Tensor,
    step: int,
    matching: Matching,
) -> Tensor:
    """(b, n) partner of each cluster in a random matching, -1 for none.

    Two clusters are matched where each is the other's first choice. With "rings", edges on no ring
    come after all others, so that rings are contracted whole.
    """
    n = weight.shape[1]
    both = real[:, :, None] & real[:, None, :]
    both.diagonal(dim1=1, dim2=2).zero_()
    joined = (weight > 0) & both
    # Where nothing is joined any more, any two clusters may be merged.
    joined = torch.where(joined.flatten(1).any(1)[:, None, None], joined, both)
    # A number for every pair and step: the fractional part of a large multiple of their noise.
    pair = (noise[:, :, None] + noise[:, None]) * (4e5 + 1e5 * step) % 1
    degree = weight.sum(2).double()
    cost = _cost(weight * both, size.double(), degree, pair, matching)
    if ring is not None:
        cost = torch.where(ring > 0, cost, LAST * cost)
    cost = cost.masked_fill(~joined, torch.inf)
    best = cost.argmin(2)
    mutual = best.gather(1, best) == torch.arange(n, device=best.device)
    return torch.where(mutual & joined.any(2), best, -1)


def _cost(
    weight: Tensor, size: Tensor, degree: Tensor, pair: Tensor, matching: Matching
) -> Tensor:
    """(b, n, n) cost of merging two clusters, which each minimises over its neighbours.

    "random", "rings": the size of the merged cluster, ties at random. "tight": likewise, and more
    if merging would let three joined clusters separate the others, see `_separation`. "dense": the
    square of the size over the share of possible paths between the two that exist, paths of one
    edge and of two. Clusters of more than `SMALL` nodes come last of all where they have no more
    edges, or one more, than degrees would lead one to expect (modularity, Newman, 2006). So
    clusters grow compact, and communities whole before they merge with others.

    Args:
        weight: (b, n, n) edges between clusters, 0 on the diagonal.
        size: (b, n) float64 nodes of each.
        degree: (b, n) float64 half-edges at each, those inside it included.
        pair: (b, n, n) float64 in [0, 1), symmetric and random.
        matching: Which of them.
    """
    total = size[:, :, None] + size[:, None]
    if matching in ("random", "rings"):
        return total + pair
    if matching == "tight":
        return total + pair + _separation((weight > 0).double())
    paths = (weight + sparse_product(weight, weight)).double() + 1e-9
    # Rounding must not break the symmetry of ties; noise does, if only a little.
    cost = total**2 * size[:, :, None] * size[:, None] / paths * (1 + 0.1 * pair)
    expected = degree[:, :, None] * degree[:, None] / degree.sum(1)[:, None, None]
    apart = (weight <= expected.clamp_min(1)) & (total > SMALL)
    return torch.where(apart, LAST * cost, cost)


def reachable(arcs: Tensor) -> Tensor:
    """(b, n, n) bool, where paths of one arc or more lead, of arcs (b, n, n) bool."""
    paths = arcs
    for _ in range(max(1, (arcs.shape[1] - 1).bit_length())):
        paths = paths | ((paths.float() @ paths.float()) > 0)
    return paths


def _acyclic(partner: Tensor, paths: Tensor, noise: Tensor) -> Tensor:
    """Those pairs of a matching (b, n) that leave no cycle when merged, in random order.

    Args:
        partner: (b, n), -1 for none.
        paths: (b, n, n) bool, see `reachable`.
        noise: (b, n) of clusters.
    """
    count, n = partner.shape
    row, place = torch.arange(count, device=noise.device), torch.arange(n, device=noise.device)
    priority = (noise + noise.gather(1, partner.clamp(min=0))) * 7919 % 1
    left, kept, paths = partner > place, torch.full_like(partner, -1), paths.clone()
    while bool(left.any()):
        u = priority.masked_fill(~left, 2).argmin(1)
        v, real = partner[row, u].clamp(min=0), left.any(1)
        left[row, u] = False
        around = (paths[row, u] & paths[row, :, v]) | (paths[row, v] & paths[row, :, u])
        real = real & ~around.any(1)
        kept[row[real], u[real]], kept[row[real], v[real]] = v[real], u[real]
        both = (place == u[:, None]) | (place == v[:, None])
        into = paths[row, :, u] | paths[row, :, v] | both
        out = paths[row, u] | paths[row, v] | both
        paths = paths | (into[:, :, None] & out[:, None] & real[:, None, None])
    return kept


def on_rings(joined: Tensor) -> Tensor:
    """(b, n, n) 1 for edges of `joined` (b, n, n), 0 or 1, that lie on a ring, 0 for bridges.

    The resistance between the ends of a bridge is 1, of an edge on a ring of k at most 1 - 1 / k
    (Klein and Randic, 1993).
    """
    degree = joined.sum(2).double()
    inverse = torch.linalg.pinv(degree.diag_embed() - joined.double(), hermitian=True)
    own = inverse.diagonal(dim1=1, dim2=2)
    resistance = own[:, :, None] + own[:, None] - 2 * inverse
    found: Tensor = joined * (resistance < 1 - 0.5 / joined.shape[1])
    return found


def _separation(joined: Tensor) -> Tensor:
    """(b, n, n) penalty of merging joined nodes of a triangulation.

    Two for each common neighbour beyond two: if there are two, a triangulation is left (the link
    condition, Dey et al., 1999). One for each ring of four without a chord through both, that
    becomes one of three which separates the graph; counted by paths of three edges without a
    shortcut, except for those inside cliques of four.

    Args:
        joined: (b, n, n) float64, 0 or 1.
    """
    common = sparse_product(joined, joined)
    turns = sparse_product(joined, (common * joined).mT).mT
    degree = joined.sum(2)
    rings = sparse_product(joined, common) - turns - turns.mT
    rings = rings - degree[:, :, None] - degree[:, None] + 2 * common + 1
    return 2 * (common - 2).clamp(min=0) + rings.clamp(min=0)
