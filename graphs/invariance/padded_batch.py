"""Padded batches: (x, adjacency, valid), or a GraphBatch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.invariance.comparison import Kind
from graphs.invariance.relabelling import Plan, identity, ring
from refine_core.errors import InputError


@dataclass(frozen=True)
class DenseView:
    """A relabelled padded batch, and the way back.

    Args:
        batch: As the module takes it.
        inputs: The further inputs, node, edge and graph level.
        rows: (b, m) row of each original node, zero beyond a graph's size.
        real: (b, m) bool, whether there is such a node.
        width: Rows.
    """

    batch: Any
    inputs: tuple[Tensor, ...]
    rows: Tensor
    real: Tensor
    width: int

    def read(self, tensor: Tensor, kind: Kind) -> Tensor:
        """The entries of an output that belong to nodes, or pairs of them, in original order."""
        graph = torch.arange(len(self.rows))[:, None]
        if kind == "node":
            return tensor[graph, self.rows][self.real]
        if kind == "edge":
            pair = tensor[graph[:, :, None], self.rows[:, :, None], self.rows[:, None]]
            return pair[self.real[:, :, None] & self.real[:, None]]
        return tensor

    def align(self, tensor: Tensor, wide: torch.Size, width: int) -> Tensor | None:
        """The same of any tensor inside of a module, where the batch is one graph.

        Args:
            tensor: Of any layout.
            wide: Shape of its counterpart in a batch of `width` rows: a dimension that is as
                large as the rows in both runs over nodes.
            width: Unequal to the rows here.

        Returns:
            None where a dimension grows in another way.
        """
        for dim, (here, there) in enumerate(zip(tensor.shape, wide, strict=True)):
            if here == self.width and there == width:
                tensor = tensor.index_select(dim, self.rows[0].to(tensor.device))
            elif here != there:
                return None
        return tensor


@dataclass(frozen=True)
class Dense:
    """A padded batch, ready to be relabelled.

    Args:
        x: (b, n, ...) of nodes.
        adjacency: (b, n, n, ...).
        valid: (b, n) bool.
        inputs: Node, edge and graph level, a tuple of tensors each.
        labelled: Whether the module takes a GraphBatch.
        refill: Whether padding is refilled with garbage, else with zeros.
    """

    x: Tensor
    adjacency: Tensor
    valid: Tensor
    inputs: tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]
    labelled: bool
    refill: bool

    padded = True
    fresh = "rewriting what stands at padding"

    def __post_init__(self) -> None:
        known = self.valid.dtype == torch.bool
        b, n = self.valid.shape if self.valid.ndim == 2 and known else (-1, -1)
        nodes, pairs, graphs = self.inputs
        for what, tensors, shape in (
            ("x and node inputs", (self.x, *nodes), (b, n)),
            ("adjacency and edge inputs", (self.adjacency, *pairs), (b, n, n)),
            ("graph inputs", graphs, (b,)),
        ):
            if any(t.shape[: len(shape)] != shape for t in tensors):
                found = [tuple(t.shape) for t in tensors]
                raise InputError(
                    f"Found {what} of shapes {found}, and valid {tuple(self.valid.shape)} of "
                    f"{self.valid.dtype}, expected x (b, n, ...), adjacency (b, n, n, ...) and "
                    "valid (b, n) of torch.bool: pad the graphs to one n."
                )

    @property
    def sizes(self) -> list[int]:
        """Nodes of each graph."""
        return cast("list[int]", self.valid.sum(1).tolist())

    def identity(self) -> Plan:
        """The plan that changes nothing."""
        return identity([row.nonzero()[:, 0] for row in self.valid.cpu()], self.valid.shape[1])

    def only(self, graph: int) -> "Dense":
        """One graph, with its padding."""
        one = slice(graph, graph + 1)
        nodes, pairs, graphs = (tuple(t[one] for t in level) for level in self.inputs)
        return replace(
            self,
            x=self.x[one],
            adjacency=self.adjacency[one],
            valid=self.valid[one],
            inputs=(nodes, pairs, graphs),
        )

    def tied(self) -> "Dense":
        """Nodes that nothing tells apart: equal features, on a cycle of equal edges."""
        x, adjacency = self.x.clone(), torch.zeros_like(self.adjacency)
        for i, slots in enumerate(self.identity().slots):
            if len(slots):
                x[i, slots] = x[i, slots[0]].clone()
                here, there = slots[ring(len(slots))]
                edge = self.adjacency[i]
                used = torch.nonzero(edge.flatten(2).any(2) if edge.ndim > 2 else edge)
                one = torch.ones_like(edge[0, 0])
                a, b = used[0] if len(used) else (0, 0)
                out, back = (edge[a, b], edge[b, a]) if len(used) else (one, one)
                half = len(here) // 2  # what follows goes the other way
                adjacency[i, here[:half], there[:half]] = out
                adjacency[i, here[half:], there[half:]] = back
        return replace(self, x=x, adjacency=adjacency)

    def cast(self, dtype: torch.dtype) -> "Dense":
        """Floating-point tensors in another precision."""
        nodes, pairs, graphs = (tuple(_cast(t, dtype) for t in level) for level in self.inputs)
        x, adjacency = _cast(self.x, dtype), _cast(self.adjacency, dtype)
        return replace(self, x=x, adjacency=adjacency, inputs=(nodes, pairs, graphs))

    def arrange(self, plan: Plan) -> DenseView:
        """Relabel, spread and refill."""
        count, most = len(self.valid), max(self.sizes, default=0)
        rows, real = torch.zeros(count, most).long(), torch.zeros(count, most).bool()
        source = torch.full((count, plan.width), -1)
        for i, slots in enumerate(self.identity().slots):
            rows[i, : len(slots)], real[i, : len(slots)] = plan.rows(i), True
            source[i, plan.slots[i]] = slots[plan.order[i]]
        nodes, pairs, graphs = self.inputs
        x, adjacency, valid = (self.x, *nodes), (self.adjacency, *pairs), self.valid
        if plan.seed is not None:
            random = torch.Generator().manual_seed(plan.seed)
            valid = (source >= 0).to(self.valid.device)
            x = tuple(self._place(t, source, 1, random) for t in x)
            adjacency = tuple(self._place(t, source, 2, random) for t in adjacency)
        batch: Any = (x[0], adjacency[0], valid)
        batch = GraphBatch(*batch) if self.labelled else batch
        return DenseView(batch, (*x[1:], *adjacency[1:], *graphs), rows, real, plan.width)

    def probe(self, width: int) -> DenseView:
        """The batch in more rows than any plan has."""
        return self.arrange(replace(self.identity(), width=width, seed=0))

    def kind(self, name: str, narrow: torch.Size, wide: torch.Size, width: int) -> Kind:
        """Level of an output, of which the dimensions over nodes are those that grow."""
        count, n = self.valid.shape
        kinds: Sequence[tuple[Kind, tuple[int, ...]]] = (("edge", (n, n)), ("node", (n,)))
        for kind, inner in kinds:
            head, tail = (count, *inner), narrow[1 + len(inner) :]
            if narrow[: len(head)] == head and wide == (count, *(width for _ in inner), *tail):
                return kind
        if narrow == wide:
            return "graph"
        raise InputError(
            f"The module's {name} has shape {tuple(narrow)} for n = {n} and {tuple(wide)} for "
            f"n = {width}, expected (b, n, ...), (b, n, n, ...) or a shape without n: reshape it "
            "by call=."
        )

    def _place(self, tensor: Tensor, source: Tensor, dims: int, random: torch.Generator) -> Tensor:
        """Rows (and columns) of `tensor` at `source`, and fresh values where that is negative."""
        at, keep, known = source.clamp(min=0), source >= 0, self.valid.cpu()
        graph = torch.arange(len(source))[:, None]
        if dims == 1:
            moved = tensor[graph, at]
        else:
            moved = tensor[graph[:, :, None], at[:, :, None], at[:, None]]
            keep, known = (mask[:, :, None] & mask[:, None] for mask in (keep, known))
        moved[~keep] = self._padding(tensor[known], int((~keep).sum()), random)
        return moved

    def _padding(self, pool: Tensor, count: int, random: torch.Generator) -> Tensor:
        """Garbage such as could stand at padding: large numbers, or labels that occur."""
        if not self.refill or not len(pool):
            return pool.new_zeros(count, *pool.shape[1:])
        if pool.is_floating_point():
            drawn = torch.randn(count, *pool.shape[1:], generator=random)
            return drawn.to(pool) * (10 * float(pool.detach().abs().max().clamp(min=1)))
        return pool[torch.randint(len(pool), (count,), generator=random)]


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
