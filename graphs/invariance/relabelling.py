"""Relabellings of a batch, and the small steps that lead to them.

A relabelling that breaks a function breaks it at a transposition: if `f(s x) != s f(x)` for
`s = t_1 ... t_k`, then `f(t_j y) != t_j f(y)` for some j and `y = t_{j+1} ... t_k x`. So the way
from one labelling to the other, transposition by transposition, meets a smallest failing change
after at most n - 1 steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Relabelling:
    """A permutation of the rows of every graph, after a change of what surrounds its nodes.

    Args:
        rows: For graph i, (n + added,): row r of the result is row `rows[i][r]` of the batch.
        added: Rows of padding that every graph is given first.
        seed: Seed of the new content of padding, or of the new order of edges; None keeps both.
    """

    rows: tuple[Tensor, ...]
    added: int = 0
    seed: int | None = None

    def only(self, graph: int) -> "Relabelling":
        """What happens to one graph."""
        return replace(self, rows=(self.rows[graph],))

    def random(self, seed: int) -> "Relabelling":
        """The same surroundings, and a uniform permutation of all rows."""
        source = torch.Generator().manual_seed(seed)
        return replace(
            self, rows=tuple(torch.randperm(len(each), generator=source) for each in self.rows)
        )


@dataclass(frozen=True)
class Step:
    """A relabelling, and in words how it differs from the one before.

    Args:
        relabelling: The relabelling.
        change: E.g. "swapping nodes 0 and 3".
        permutation: Node k of the graph after is node `permutation[k]` of the one before.
        swaps: Whether nodes are swapped.
    """

    relabelling: Relabelling
    change: str
    permutation: tuple[int, ...]
    swaps: bool = False


def identity(lengths: Sequence[int]) -> Relabelling:
    """The relabelling that changes nothing, of graphs of so many rows."""
    return Relabelling(tuple(torch.arange(length) for length in lengths))


def cycle_edges(count: int) -> Tensor:
    """(2, edges) both directions of the edges of a cycle; of two nodes, the one edge.

    >>> cycle_edges(3).tolist()
    [[0, 1, 2, 1, 2, 0], [1, 2, 0, 0, 1, 2]]
    """
    here = torch.arange(count if count > 2 else count - 1)
    there = (here + 1) % count
    return torch.stack([torch.cat([here, there]), torch.cat([there, here])])


def node_order(relabelling: Relabelling, nodes: Sequence[int]) -> tuple[int, ...]:
    """Node k of the relabelled graph is which node of the graph, counted without padding.

    Args:
        relabelling: Relabelling of one graph.
        nodes: Rows of the graph's nodes, increasing.
    """
    place = {row: node for node, row in enumerate(nodes)}
    return tuple(place[row] for row in relabelling.rows[0].tolist() if row in place)


def permutation_steps(
    start: Relabelling, end: Relabelling, nodes: Sequence[int]
) -> Iterator[Step]:
    """Go from one permutation of a single graph to another, a swap of two nodes at a time.

    If the two have the nodes in one order, their reversal is tried beside.

    Args:
        start: Relabelling of one graph.
        end: Relabelling of the same graph in the same surroundings.
        nodes: Rows of the graph's nodes, increasing.
    """
    goal, current = node_order(end, nodes), start
    reverse = goal == node_order(start, nodes)
    if not reverse:
        for step in _swaps(start, goal, nodes):
            yield step
            current = step.relabelling
    if not torch.equal(current.rows[0], end.rows[0]):
        still = tuple(range(len(nodes)))
        yield Step(end, "moving rows of padding between the nodes", still)
    if reverse:
        yield from _swaps(end, goal[::-1], nodes)


def _swaps(start: Relabelling, goal: Sequence[int], nodes: Sequence[int]) -> Iterator[Step]:
    """Swap two nodes at a time until node k is node `goal[k]` of the graph."""
    rows, order = start.rows[0].clone(), list(node_order(start, nodes))
    places = [place for place, row in enumerate(rows.tolist()) if row in set(nodes)]
    for first, wanted in enumerate(goal):
        second = order.index(wanted)
        if second == first:
            continue
        swap = list(range(len(nodes)))
        swap[first], swap[second] = second, first
        order = [order[place] for place in swap]
        rows = rows.clone()
        rows[places] = torch.tensor([nodes[node] for node in order])
        changed = replace(start, rows=(rows,))
        yield Step(changed, f"swapping nodes {first} and {second}", tuple(swap), swaps=True)


def surrounding_steps(
    start: Relabelling, end: Relabelling, nodes: Sequence[int], rewriting: str
) -> Iterator[Step]:
    """Go from the surroundings of a single graph's nodes to others; rows keep their order.

    Args:
        start: Relabelling of one graph.
        end: Relabelling of the same graph, with other surroundings.
        nodes: Rows of the graph's nodes, increasing.
        rewriting: What a seed changes, in words.
    """
    still = tuple(range(len(nodes)))
    yield Step(replace(start, seed=end.seed), rewriting, still)
    if end.added > start.added:
        yield Step(end, f"adding {end.added - start.added} rows of padding", still)
