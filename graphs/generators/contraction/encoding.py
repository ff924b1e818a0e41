"""Codes of graphs: the splits that undo a contraction tree, from its root to single nodes."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.data.edge_list import Edges, pair_counts
from graphs.data.fragments import FragmentTables, canonical
from graphs.generators.common.coarsening import Tree, contract
from graphs.generators.common.config import Matching
from graphs.generators.common.parallel import choose
from graphs.generators.contraction.state.partition import both_ways, letters_first
from refine_core.noise import Noise

NEVER = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class EncodedGraphs:
    """The codes of b graphs, for `ContractionTokenizer.trace` to replay.

    Args:
        codes: One (b, m + e, g) tensor per scale, see
            `graphs.generators.contraction.state.division.divide`.
        noise: Names the graphs; it drew the tree and chose the clusters of each scale.
    """

    codes: list[Tensor]
    noise: Noise

    def __len__(self) -> int:
        """Count of graphs."""
        return len(self.noise.index)


@dataclass(frozen=True)
class _Step:
    """Clusters before a scale: tree nodes (b, m), each graph node's cluster (b, n), splits."""

    node: Tensor
    place: Tensor
    split: Tensor


def encode(
    graphs: GraphBatch,
    noise: Noise,
    node_noise: Tensor,
    labels: int,
    kinds: int,
    matching: Matching = "random",
    reverse: Tensor | None = None,
    fragments: FragmentTables | None = None,
    outward: Tensor | None = None,
) -> EncodedGraphs:
    """Draw a tree, and the order in which its clusters split; return the codes of the splits.

    Args:
        graphs: b graphs.
        noise: Names them, and chooses the clusters of each scale.
        node_noise: (b, n) in [0, 1), breaks the symmetry of nodes.
        labels: Count T of node labels.
        kinds: Count O of edge labels.
        matching: See `graphs.generators.common.coarsening.contract`.
        reverse: As of `Partition`. An edge inside a cluster counts with its label as seen from the
            end that will be in the first child, once its two ends are in different children.
        fragments: Of node labels, where nodes are fragments; the last code has their sites.
        outward: (O,) bool, of directed acyclic graphs the labels that say that an arc goes to the
            other node; None of other graphs.
    """
    arcs = None if outward is None else F.pad(outward, (1, 0))[graphs.edges]
    tree, edges = contract(graphs, node_noise, matching, arcs), Edges.of(graphs)
    letters, letter = _letters(graphs, labels)
    wide = letters.shape[1]
    # Sums over tree nodes: nodes by letter (b, 2n - 1, l), inner edges by label (b, 2n - 1, O).
    nodes = tree.members.float() @ F.one_hot(letter, wide).float()
    first, second = (_holds(tree.members, edges.ends[:, :, side]) for side in (0, 1))
    inside = (first & second).float()
    # The order of children must not depend on the end from which an edge was first seen.
    unordered = both_ways(edges.label, reverse).amin(2)
    sums = torch.cat([nodes, inside @ _one_hot(edges, unordered, kinds)], 2).long()
    children = _ordered(tree, sums, node_noise, wide, arcs)
    steps = _descend(tree, children, edges, sums[:, :, :wide].sum(2), noise)
    time, turned = _appearance(tree, children, steps, edges)
    label = torch.where(turned, both_ways(edges.label, reverse)[:, :, 1], edges.label)
    sums = torch.cat([nodes, inside @ _one_hot(edges, label, kinds)], 2).long()
    edges = _sorted(edges.flipped(turned, label), time, node_noise, kinds)
    whole = sums.gather(1, tree.root[:, None, None].expand(-1, 1, sums.shape[2]))
    every = whole.new_zeros(len(whole), 1, labels).scatter(2, letters[:, None], whole[..., :wide])
    codes = [F.pad(torch.cat([every, whole[..., wide:]], 2), (0, 2 * kinds))]
    codes += [_code(tree, children, sums, edges, step, kinds, reverse) for step in steps]
    if fragments is not None:
        sites, digits = _sites(graphs, edges, fragments), wide + 3 * kinds
        most = int(graphs.sizes.max()) if len(graphs) else 0  # without padding
        codes.append(F.pad(sites, (0, digits - 2, most, 0)))
    return EncodedGraphs(codes, noise)


def _letters(graphs: GraphBatch, labels: int) -> tuple[Tensor, Tensor]:
    """The labels that each graph has (b, l), and of each node (b, n) which of these it has."""
    counts = torch.zeros(len(graphs), labels, dtype=torch.int64, device=graphs.nodes.device)
    counts.scatter_add_(1, graphs.nodes, graphs.valid.long())
    letters = letters_first(counts)
    every = torch.arange(letters.shape[1], device=letters.device).expand_as(letters)
    place = torch.zeros_like(counts).scatter(1, letters, every)
    return letters, place.gather(1, graphs.nodes)


def _one_hot(edges: Edges, label: Tensor, kinds: int) -> Tensor:
    """(b, e, O) of labels (b, e), zero at padding."""
    return F.one_hot(label, kinds).float() * edges.real[:, :, None]


def _holds(members: Tensor, node: Tensor) -> Tensor:
    """(b, 2n - 1, e) bool: whether tree nodes hold graph nodes (b, e)."""
    return members.gather(2, node[:, None].expand(-1, members.shape[1], -1))


def _ordered(
    tree: Tree, sums: Tensor, node_noise: Tensor, labels: int, arcs: Tensor | None
) -> Tensor:
    """Children with the larger first: by count of nodes, then by their sums, then at random.

    With arcs (b, n, n), those from which arcs go are before those to which they go.
    """
    pair = tree.children.clamp(min=0)
    both = sums.gather(1, pair.flatten(1)[:, :, None].expand(-1, -1, sums.shape[2]))
    both = torch.cat([both[:, :, :labels].sum(2, keepdim=True), both], 2)
    gap = both[:, 0::2] - both[:, 1::2]
    lead = (gap != 0).long().argmax(2, keepdim=True)
    sign = gap.gather(2, lead)[:, :, 0].sign().double()
    tie_break = (tree.members.double() @ node_noise[:, :, None].double())[:, :, 0] * 7919 % 1
    tie_break = tie_break.gather(1, pair.flatten(1)).view_as(pair)
    if arcs is not None:
        ahead = _arcs_between(tree, pair, arcs)
        sign = torch.where(ahead == 0, sign, ahead)
    swap = torch.where(sign == 0, tie_break[:, :, 0] - tie_break[:, :, 1], sign) < 0
    return torch.where(swap[:, :, None], tree.children.flip(2), tree.children)


def _arcs_between(tree: Tree, pair: Tensor, arcs: Tensor) -> Tensor:
    """(b, 2n - 1) arcs from the first of two children to the second, less those back."""
    n = arcs.shape[1]
    one, two = (
        tree.members.gather(1, pair[:, :, side, None].expand(-1, -1, n)).double()
        for side in (0, 1)
    )
    net = arcs.double() - arcs.mT.double()
    return ((one @ net) * two).sum(2)


def _descend(
    tree: Tree, children: Tensor, edges: Edges, size: Tensor, noise: Noise
) -> list[_Step]:
    """Split from the root down to single nodes."""
    node, count = tree.root[:, None], torch.ones_like(tree.root)
    place = torch.zeros_like(tree.members[:, 0], dtype=torch.int64)
    steps: list[_Step] = []
    while True:
        m = node.shape[1]
        valid = torch.arange(m, device=node.device) < count[:, None]
        joined = pair_counts(edges.at(place), edges.real, m) > 0
        sizes = size.gather(1, node) * valid
        step = len(steps) + 1
        split = choose(sizes, joined, noise.uniform(step, m))
        if not bool(split.any()):
            return steps
        steps.append(_Step(node, place, split))
        both = children.gather(1, node[:, :, None].expand(-1, -1, 2))
        fresh = count[:, None] + split.cumsum(1) - 1
        wide = int((count + split.sum(1)).max())
        b, i = torch.nonzero(split, as_tuple=True)
        node = F.pad(torch.where(split, both[:, :, 0], node), (0, wide - m))
        node[b, fresh[b, i]] = both[b, i, 1]
        second = _moves(tree, both, split, place)
        place = torch.where(second, fresh.gather(1, place), place)
        count = count + split.sum(1)


def _moves(tree: Tree, both: Tensor, split: Tensor, place: Tensor) -> Tensor:
    """(b, n) bool: whether each graph node goes to the second child of a cluster that splits."""
    second = both[:, :, 1].clamp(min=0).gather(1, place)
    rows = torch.arange(len(place), device=place.device)[:, None]
    inside = tree.members[rows, second, torch.arange(place.shape[1], device=place.device)]
    return inside & split.gather(1, place)


def _appearance(
    tree: Tree, children: Tensor, steps: list[_Step], edges: Edges
) -> tuple[Tensor, Tensor]:
    """When `divide` adds each edge, (b, e), and whether its second end is in the first child.

    An edge is added by the split that separates its ends: by scale, then by cluster.
    """
    time = torch.full_like(edges.label, NEVER)
    turned = torch.zeros_like(edges.real)
    for scale, step in reversed(list(enumerate(steps))):
        ends = edges.at(step.place)
        # Going backwards, the first scale at which an edge lies inside a cluster is its last.
        here = (ends[:, :, 0] == ends[:, :, 1]) & edges.real & (time == NEVER)
        time = torch.where(here, scale * 10**6 + ends[:, :, 0], time)
        both = children.gather(1, step.node[:, :, None].expand(-1, -1, 2))
        second = _moves(tree, both, step.split, step.place).gather(1, edges.ends[:, :, 0])
        turned = turned | (here & second)
    return time, turned


def _sorted(edges: Edges, time: Tensor, node_noise: Tensor, kinds: int) -> Edges:
    """Edges in the order in which `divide` adds them; of one split by label, then at random."""
    key = torch.where(time == NEVER, NEVER, time * kinds + edges.label)
    tie_break = edges.at(node_noise.double()).sum(2) * 7919 % 1
    order = tie_break.argsort(dim=1)
    order = order.gather(1, key.gather(1, order).argsort(dim=1, stable=True))
    return edges.ordered(order)


def _code(
    tree: Tree,
    children: Tensor,
    sums: Tensor,
    edges: Edges,
    step: _Step,
    kinds: int,
    reverse: Tensor | None,
) -> Tensor:
    """Codes (b, m + e, g) of one scale, for e edges between clusters."""
    digits = sums.shape[2] + 2 * kinds
    both = children.gather(1, step.node[:, :, None].expand(-1, -1, 2)).clamp(min=0)
    wide = sums.shape[2]

    def of(node: Tensor) -> Tensor:
        return sums.gather(1, node[:, :, None].expand(-1, -1, wide))

    first, second = of(both[:, :, 0]), of(both[:, :, 1])
    join = (of(step.node) - first - second)[:, :, -kinds:]
    ends = edges.at(step.place)
    real = edges.real & (ends[:, :, 0] != ends[:, :, 1])
    count = int(real.sum(1).max())
    goes = _moves(tree, both, step.split, step.place)
    goes = edges.at(goes) & real[:, :, None]
    stays, labels = torch.zeros_like(join), both_ways(edges.label, reverse)
    for side in (0, 1):
        b, e = torch.nonzero(real & ~goes[:, :, side], as_tuple=True)
        place = (b, ends[b, e, side], labels[b, e, side])
        stays.index_put_(place, torch.ones_like(b), accumulate=True)
    code = torch.cat([first, join, stays], 2) * step.split[:, :, None]
    bits = F.pad(goes[:, :count].long(), (0, digits - 2))
    return torch.cat([code, bits], 1)


def _sites(graphs: GraphBatch, edges: Edges, fragments: FragmentTables) -> Tensor:
    """Sites (b, e, 2), at each node the least of those that its symmetries make alike."""
    assert edges.sites is not None, "graphs of fragments have sites"
    sites, n = edges.sites.clone(), graphs.nodes.shape[1]
    b, e, side = torch.nonzero(edges.real[:, :, None].expand_as(sites), as_tuple=True)
    key = b * n + edges.ends[b, e, side]
    order = key.argsort(stable=True)
    b, e, side, key = b[order], e[order], side[order], key[order]
    keys, row, degree = torch.unique_consecutive(key, return_inverse=True, return_counts=True)
    place = torch.arange(len(key), device=key.device) - (degree.cumsum(0) - degree)[row]
    real = (
        torch.arange(int(degree.max()) if len(degree) else 0, device=key.device) < degree[:, None]
    )
    table = torch.zeros_like(real).long()
    table[row, place] = sites[b, e, side]
    label = graphs.nodes.flatten()[keys]
    sites[b, e, side] = canonical(table, real, fragments.symmetries[label])[row, place]
    return sites
