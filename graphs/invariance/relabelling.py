"""Relabellings of a batch, and how a large one is reached by small steps.

A relabelling that breaks a function breaks it at a transposition: if `f(s x) != s f(x)` for
`s = t_1 ... t_k`, then `f(t_j y) != t_j f(y)` for some j and `y = t_{j+1} ... t_k x`. So walking
from one labelling to the other finds the smallest failing change in at most n - 1 steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Plan:
    """Where the nodes of every graph go. Nodes are counted over the valid ones.

    Args:
        order: Of graph i (m_i,): node r of the result is node `order[i][r]` of the batch.
        slots: Of graph i (m_i,): the rows that they fill, increasing.
        width: Rows of every graph, padding included.
        seed: Of what padding is refilled with and of the new order of edges; None keeps both.
    """

    order: tuple[Tensor, ...]
    slots: tuple[Tensor, ...]
    width: int
    seed: int | None = None

    def rows(self, graph: int) -> Tensor:
        """(m_i,) the row where each node of the batch is found."""
        return self.slots[graph][self.order[graph].argsort()]

    def only(self, graph: int) -> "Plan":
        """What happens to one graph; if nothing does, its nodes are reversed."""
        order = self.order[graph]
        still = torch.equal(order, torch.arange(len(order)))
        return replace(
            self, order=(order.flip(0) if still else order,), slots=(self.slots[graph],)
        )


@dataclass(frozen=True)
class Step:
    """A plan, and in words what it changes in the one before.

    Args:
        plan: The plan.
        change: E.g. "swapping nodes 0 and 3".
        permutation: Node r of the graph after is node `permutation[r]` of the one before.
    """

    plan: Plan
    change: str
    permutation: tuple[int, ...]


def ring(count: int) -> Tensor:
    """(2, edges) both directions of the edges of a cycle; of two nodes, the one edge.

    >>> ring(3).tolist()
    [[0, 1, 2, 1, 2, 0], [1, 2, 0, 0, 1, 2]]
    """
    here = torch.arange(count if count > 2 else count - 1)
    there = (here + 1) % count
    return torch.stack([torch.cat([here, there]), torch.cat([there, here])])


def identity(slots: list[Tensor], width: int) -> Plan:
    """The plan that changes nothing, of graphs whose nodes are at `slots`."""
    return Plan(tuple(torch.arange(len(each)) for each in slots), tuple(slots), width)


def random_plan(start: Plan, seed: int, grow: int, *, padded: bool) -> Plan:
    """Draw a uniform relabelling; with `padded`, spread the nodes over `grow` more rows."""
    source = torch.Generator().manual_seed(seed)
    order = tuple(torch.randperm(len(each), generator=source) for each in start.order)
    if not padded:
        return replace(start, order=order, seed=seed)
    width = start.width + grow
    slots = tuple(
        torch.randperm(width, generator=source)[: len(each)].sort().values for each in order
    )
    return Plan(order, slots, width, seed)


def steps(start: Plan, end: Plan, fresh: str) -> Iterator[Step]:
    """Go from one plan of a single graph to another, changing as little as possible at a time.

    Args:
        start: Of one graph, as it was given.
        end: Of the same graph.
        fresh: What a seed does, in words.
    """
    nodes = tuple(range(len(start.order[0])))
    plan = replace(start, seed=end.seed)
    yield Step(plan, fresh, nodes)
    if end.width > start.width:
        plan = replace(plan, width=end.width)
        yield Step(plan, f"adding {end.width - start.width} rows of padding", nodes)
    order = start.order[0].tolist()
    for place, wanted in enumerate(end.order[0].tolist()):
        other = order.index(wanted)
        if other != place:
            order[place], order[other] = order[other], order[place]
            plan = replace(plan, order=(torch.tensor(order),))
            swap = list(nodes)
            swap[place], swap[other] = other, place
            yield Step(plan, f"swapping nodes {place} and {other}", tuple(swap))
    if not torch.equal(plan.slots[0], end.slots[0]):
        yield Step(end, "moving rows of padding between the nodes", nodes)
