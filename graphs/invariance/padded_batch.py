"""Padded batches, (x, adjacency, valid) or a GraphBatch, that can be relabelled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.invariance.comparison import Inputs, Level
from graphs.invariance.relabelling import Relabelling, cycle_edges, identity
from refine_core.errors import InputError

Padding = Literal["zero", "features", "all"]
"""What is written at padding: zeros, random features but no edges, or both at random."""


@dataclass(frozen=True)
class PaddedArrangement:
    """A relabelled padded batch, and the way back to the original labels.

    Args:
        batch: As the module takes it.
        inputs: The further inputs: node, edge and graph level.
        rows: (b, m) row of each original node, zero beyond a graph's size.
        exists: (b, m) bool, whether there is such a node.
        width: Rows.
    """

    batch: tuple[Tensor, Tensor, Tensor] | GraphBatch
    inputs: tuple[Tensor, ...]
    rows: Tensor
    exists: Tensor
    width: int

    def original(self, output: Tensor, level: Level) -> Tensor:
        """The entries of an output that belong to nodes, or pairs of them, in original order."""
        graph = torch.arange(len(self.rows))[:, None]
        if level == "node":
            return output[graph, self.rows][self.exists]
        if level == "edge":
            pair = output[graph[:, :, None], self.rows[:, :, None], self.rows[:, None]]
            return pair[self.exists[:, :, None] & self.exists[:, None]]
        return output

    def aligned(self, tensor: Tensor, wide: torch.Size, width: int) -> Tensor | None:
        """Put any tensor inside of a module into original order; the batch is of one graph.

        Args:
            tensor: Tensor of any layout.
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
class PaddedBatch:
    """A padded batch that can be relabelled.

    Args:
        x: (b, n, ...) features or labels of nodes.
        adjacency: (b, n, n, ...).
        valid: (b, n) bool.
        inputs: Further inputs of the module.
        padding: What new padding holds.
        is_graph_batch: Whether the module takes a GraphBatch.
    """

    x: Tensor
    adjacency: Tensor
    valid: Tensor
    inputs: Inputs
    padding: Padding
    is_graph_batch: bool = False

    surroundings = "padding"
    rewriting = "rewriting what stands at padding"

    def __post_init__(self) -> None:
        is_mask = self.valid.dtype == torch.bool
        b, n = self.valid.shape if self.valid.ndim == 2 and is_mask else (-1, -1)
        for what, tensors, shape in (
            ("x and node inputs", (self.x, *self.inputs.node), (b, n)),
            ("adjacency and edge inputs", (self.adjacency, *self.inputs.edge), (b, n, n)),
            ("graph inputs", self.inputs.graph, (b,)),
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

    def nodes(self, graph: int) -> list[int]:
        """Rows of a graph's nodes."""
        return cast("list[int]", self.valid[graph].nonzero()[:, 0].tolist())

    def identity(self) -> Relabelling:
        """The relabelling that changes nothing."""
        return identity([self.valid.shape[1]] * len(self.valid))

    def surrounded(self, seed: int, added: int) -> Relabelling | None:
        """Other padding, and more of it; None if there is none before and after."""
        if not added and bool(self.valid.all()):
            return None
        b, n = self.valid.shape
        return replace(identity([n + added] * b), added=added, seed=seed)

    def only(self, graph: int) -> "PaddedBatch":
        """One graph, with its padding."""
        one = slice(graph, graph + 1)
        x, adjacency, valid = self.x[one], self.adjacency[one], self.valid[one]
        inputs = self.inputs.map(lambda tensor: tensor[one])
        return replace(self, x=x, adjacency=adjacency, valid=valid, inputs=inputs)

    def tied(self) -> "PaddedBatch":
        """The batch with indistinguishable nodes: equal features, on a cycle."""
        x, adjacency = self.x.clone(), torch.zeros_like(self.adjacency)
        for i in range(len(x)):
            if not (rows := torch.tensor(self.nodes(i), dtype=torch.int64)).numel():
                continue
            x[i, rows] = x[i, rows[0]].clone()
            here, there = rows[cycle_edges(len(rows))]
            forth, back = _edge(self.adjacency[i])
            half = len(here) // 2  # the other half is the reverse
            adjacency[i, here[:half], there[:half]] = forth
            adjacency[i, here[half:], there[half:]] = back
        return replace(self, x=x, adjacency=adjacency)

    def cast(self, dtype: torch.dtype) -> "PaddedBatch":
        """The batch with floating-point tensors in another precision."""
        x, adjacency = _cast(self.x, dtype), _cast(self.adjacency, dtype)
        inputs = self.inputs.map(lambda tensor: _cast(tensor, dtype))
        return replace(self, x=x, adjacency=adjacency, inputs=inputs)

    def arrange(self, relabelling: Relabelling) -> PaddedArrangement:
        """Change the padding, then permute the rows."""
        batch, order = self, torch.stack(relabelling.rows)
        if relabelling.seed is not None:
            batch = self._repadded(relabelling.added, relabelling.seed)
        graph = torch.arange(len(order))[:, None]
        x = [tensor[graph, order] for tensor in (batch.x, *batch.inputs.node)]
        adjacency = [
            tensor[graph[:, :, None], order[:, :, None], order[:, None]]
            for tensor in (batch.adjacency, *batch.inputs.edge)
        ]
        parts = (x[0], adjacency[0], batch.valid[graph, order])
        place, most = order.argsort(1), max(self.sizes, default=0)
        rows = torch.zeros(len(order), most, dtype=torch.int64)
        exists = torch.zeros(len(order), most, dtype=torch.bool)
        for i, size in enumerate(self.sizes):
            rows[i, :size], exists[i, :size] = place[i, self.nodes(i)], True
        return PaddedArrangement(
            GraphBatch(*parts) if self.is_graph_batch else parts,
            (*x[1:], *adjacency[1:], *self.inputs.graph),
            rows,
            exists,
            order.shape[1],
        )

    def probe(self, width: int) -> PaddedArrangement:
        """The batch in so many rows, to see which dimensions run over nodes."""
        b, n = self.valid.shape
        return self.arrange(replace(identity([width] * b), added=width - n, seed=0))

    def level(self, name: str, narrow: torch.Size, wide: torch.Size, width: int) -> Level:
        """Level of an output: dimensions over nodes are those that grow with the rows.

        Args:
            name: Name of the output.
            narrow: Its shape.
            wide: Its shape for `probe(width)`.
            width: See there.

        Raises:
            InputError: It grows otherwise.
        """
        count, n = self.valid.shape
        levels: Sequence[tuple[Level, tuple[int, ...]]] = (("edge", (n, n)), ("node", (n,)))
        for level, inner in levels:
            head, tail = (count, *inner), narrow[1 + len(inner) :]
            if narrow[: len(head)] == head and wide == (count, *(width for _ in inner), *tail):
                return level
        if narrow == wide:
            return "graph"
        raise InputError(
            f"The module's {name} has shape {tuple(narrow)} for n = {n} and {tuple(wide)} for "
            f"n = {width}, expected (b, n, ...), (b, n, n, ...) or a shape without n: reshape it "
            "by call=."
        )

    def _repadded(self, added: int, seed: int) -> "PaddedBatch":
        """The batch with more rows of padding and new content there."""
        random = torch.Generator().manual_seed(seed)
        b, n = self.valid.shape
        valid = self.valid.new_zeros(b, n + added)
        valid[:, :n] = self.valid

        def repad(tensor: Tensor, dims: int, *, zero: bool) -> Tensor:
            mask = valid if dims == 1 else valid[:, :, None] & valid[:, None]
            result = tensor.new_zeros(*mask.shape, *tensor.shape[1 + dims :])
            result[(slice(None), *[slice(n)] * dims)] = tensor
            content = _padding_content(result[mask], int((~mask).sum()), random, zero=zero)
            result[~mask] = content
            return result

        flat, bare = self.padding == "zero", self.padding != "all"
        return replace(
            self,
            x=repad(self.x, 1, zero=flat),
            adjacency=repad(self.adjacency, 2, zero=bare),
            valid=valid,
            inputs=Inputs(
                tuple(repad(tensor, 1, zero=flat) for tensor in self.inputs.node),
                tuple(repad(tensor, 2, zero=bare) for tensor in self.inputs.edge),
                self.inputs.graph,
            ),
        )


def _padding_content(pool: Tensor, count: int, random: torch.Generator, *, zero: bool) -> Tensor:
    """(count, ...) zeros, large random numbers, or labels that occur in a pool of entries."""
    if zero or not len(pool):
        return pool.new_zeros(count, *pool.shape[1:])
    if pool.is_floating_point():
        noise = torch.randn(count, *pool.shape[1:], generator=random)
        return noise.to(pool) * (10 * float(pool.detach().abs().max().clamp(min=1)))
    return pool[torch.randint(len(pool), (count,), generator=random)]


def _edge(adjacency: Tensor) -> tuple[Tensor, Tensor]:
    """Entries of one edge of a graph (n, n, ...) and of its reverse; ones if there is none."""
    occurs = adjacency.flatten(2).any(2) if adjacency.ndim > 2 else adjacency
    if not len(found := torch.nonzero(occurs)):
        return torch.ones_like(adjacency[0, 0]), torch.ones_like(adjacency[0, 0])
    a, b = found[0]
    return adjacency[a, b], adjacency[b, a]


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
