"""Batches of PyTorch Geometric that can be relabelled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from graphs.invariance.comparison import Inputs, Level
from graphs.invariance.relabelling import Relabelling, cycle_edges, identity
from refine_core.errors import InputError


class Data(Protocol):
    """What the kit uses of `torch_geometric.data.Data`."""

    num_nodes: int

    @property
    def num_edges(self) -> int:
        """Edges."""
        ...

    def keys(self) -> list[str]:
        """Names of the attributes."""
        ...

    def to_dict(self) -> dict[str, object]:
        """The attributes by name."""
        ...

    def clone(self) -> Self:
        """A copy, tensors included."""
        ...

    def apply(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Change every tensor, in place."""
        ...

    def __getitem__(self, key: str) -> Tensor: ...

    def __setitem__(self, key: str, value: object) -> None: ...

    def __cat_dim__(self, key: str, value: object) -> int: ...

    def __inc__(self, key: str, value: object) -> int | Tensor: ...


@dataclass(frozen=True)
class PygArrangement:
    """A relabelled batch of PyTorch Geometric, and the way back to the original labels.

    Args:
        batch: The PyG Batch.
        inputs: The further inputs: node, edge and graph level.
        nodes: (N,) row of each original node.
        edges: (E,) column of each original edge.
        width: Rows of the batch, N.
    """

    batch: object
    inputs: tuple[Tensor, ...]
    nodes: Tensor
    edges: Tensor
    width: int

    def original(self, output: Tensor, level: Level) -> Tensor:
        """An output in original order."""
        if level == "graph":
            return output
        return output[self.nodes if level == "node" else self.edges]

    def aligned(self, tensor: Tensor, wide: torch.Size, width: int) -> Tensor | None:
        """Put any tensor inside of a module into original order; the batch is of one graph.

        Integers may be indices of nodes, which differ between equivalent runs, so they are
        replaced by an empty tensor.

        Args:
            tensor: Tensor of any layout.
            wide: Shape of its counterpart for `PygBatch.probe`, which tells the dimensions.
            width: Nodes of the probe.

        Returns:
            None where a dimension grows in another way.
        """
        if not tensor.is_floating_point():
            return tensor.new_zeros(0)
        for dim, size in enumerate(zip(tensor.shape, wide, strict=True)):
            if size == (len(self.nodes), width):
                tensor = tensor.index_select(dim, self.nodes.to(tensor.device))
            elif size == (len(self.edges), 2 * len(self.edges)):
                tensor = tensor.index_select(dim, self.edges.to(tensor.device))
            elif size[0] != size[1] and size != (1, 3):
                return None
        return tensor


@dataclass(frozen=True)
class PygBatch:
    """A batch of PyTorch Geometric that can be relabelled.

    Args:
        graphs: Its graphs.
        inputs: Further inputs of the module.
        levels: Level of every attribute that is a tensor.
    """

    graphs: list[Data]
    inputs: Inputs
    levels: dict[str, Level]

    surroundings = "order of edges"
    rewriting = "reordering the edges"

    @classmethod
    def of(cls, graphs: Sequence[Data], inputs: Inputs) -> "PygBatch":
        """Infer the level of each attribute from its sizes in all graphs.

        Raises:
            InputError: The edges are not given as `edge_index`.
        """
        found = {key for data in graphs for key in data.keys()}
        if "edge_index" not in found or any(key.startswith("adj") for key in found):
            raise InputError(
                f"Found a PyG batch with attributes {sorted(found)}, expected edges as "
                "edge_index: convert sparse adjacencies first."
            )
        made = cls(list(graphs), inputs, {})
        for key, value in graphs[0].to_dict().items():
            if isinstance(value, Tensor) and value.ndim:
                dim = graphs[0].__cat_dim__(key, value)
                sizes = [data[key].size(dim) for data in graphs]
                by_node, by_edge = sizes == made.sizes, sizes == made.edge_counts
                is_edge = by_edge and ("edge" in key or not by_node)
                made.levels[key] = "edge" if is_edge else "node" if by_node else "graph"
        return made

    @property
    def sizes(self) -> list[int]:
        """Nodes of each graph."""
        return [int(data.num_nodes) for data in self.graphs]

    @property
    def edge_counts(self) -> list[int]:
        """Edges of each graph."""
        return [int(data.num_edges) for data in self.graphs]

    def nodes(self, graph: int) -> list[int]:
        """Rows of a graph's nodes among its own."""
        return list(range(self.sizes[graph]))

    def identity(self) -> Relabelling:
        """The relabelling that changes nothing."""
        return identity(self.sizes)

    def surrounded(self, seed: int, added: int) -> Relabelling | None:
        """Another order of edges; there is no padding to add."""
        return replace(self.identity(), seed=seed)

    def only(self, graph: int) -> "PygBatch":
        """One graph."""
        parts = []
        for counts, level in zip((self.sizes, self.edge_counts), self.inputs[:2], strict=True):
            start, stop = sum(counts[:graph]), sum(counts[: graph + 1])
            parts.append(tuple(tensor[start:stop] for tensor in level))
        parts.append(tuple(tensor[graph : graph + 1] for tensor in self.inputs.graph))
        return replace(self, graphs=[self.graphs[graph]], inputs=Inputs(*parts))

    def tied(self) -> "PygBatch":
        """The batch with indistinguishable nodes: equal features, on a cycle.

        Edges stay as they are if there are edge inputs.
        """
        return replace(self, graphs=[self._tie(data) for data in self.graphs])

    def cast(self, dtype: torch.dtype) -> "PygBatch":
        """The batch with floating-point tensors in another precision."""

        def change(tensor: Tensor) -> Tensor:
            return tensor.to(dtype) if tensor.is_floating_point() else tensor

        graphs = [data.clone().apply(change) for data in self.graphs]
        return replace(self, graphs=graphs, inputs=self.inputs.map(change))

    def arrange(self, relabelling: Relabelling) -> PygArrangement:
        """Reorder the edges, then relabel the nodes."""
        from torch_geometric.data import Batch

        random = torch.Generator().manual_seed(relabelling.seed or 0)
        relabelled: list[Data] = []
        nodes: list[Tensor] = []
        edges: list[Tensor] = []
        for data, order in zip(self.graphs, relabelling.rows, strict=True):
            count = int(data.num_edges)
            shuffle = torch.randperm(count, generator=random)
            if relabelling.seed is None:
                shuffle = torch.arange(count)
            relabelled.append(self._relabelled(data, order, shuffle))
            nodes.append(order.argsort() + sum(map(len, nodes)))
            edges.append(shuffle.argsort() + sum(map(len, edges)))
        rows, columns = torch.cat(nodes), torch.cat(edges)
        inputs = (
            *(tensor[rows.argsort()] for tensor in self.inputs.node),
            *(tensor[columns.argsort()] for tensor in self.inputs.edge),
            *self.inputs.graph,
        )
        return PygArrangement(Batch.from_data_list(relabelled), inputs, rows, columns, len(rows))

    def probe(self, width: int) -> PygArrangement:
        """The batch twice and a node alone: 2N + 1 nodes, 2E edges and 2b + 1 graphs."""
        alone = self.graphs[0].clone()
        for key, value in alone.to_dict().items():
            if not isinstance(value, Tensor):
                continue
            if (level := self.levels.get(key, "graph")) != "graph":
                value = value.narrow(alone.__cat_dim__(key, value), 0, int(level == "node"))
            alone[key] = value * 0 if _indexes_nodes(alone, key, value) else value
        alone.num_nodes = 1
        inputs = (
            tuple(torch.cat([tensor, tensor, tensor[:keep]]) for tensor in level)
            for keep, level in zip((1, 0, 1), self.inputs, strict=True)
        )
        wide = replace(self, graphs=[*self.graphs, *self.graphs, alone], inputs=Inputs(*inputs))
        return wide.arrange(wide.identity())

    def level(self, name: str, narrow: torch.Size, wide: torch.Size, width: int) -> Level:
        """Level of an output, inferred from its first dimension here and for the probe.

        Args:
            name: Name of the output.
            narrow: Its shape.
            wide: Its shape for `probe`.
            width: Nodes of the probe.
        """
        nodes, edges = sum(self.sizes), sum(self.edge_counts)
        first = (narrow[:1], wide[:1])
        if first in (((nodes,), (width,)), ((nodes,), (nodes,))):
            return "node"
        if first in (((edges,), (2 * edges,)), ((edges,), (edges,))):
            return "edge"
        return "graph"

    def _relabelled(self, data: Data, order: Tensor, shuffle: Tensor) -> Data:
        result, rank = data.clone(), order.argsort()
        moves = {"node": order, "edge": shuffle}
        for key, value in data.to_dict().items():
            if not isinstance(value, Tensor):
                continue
            if _indexes_nodes(data, key, value):
                value = rank.to(value.device)[value]
            move, dim = moves.get(self.levels.get(key, "graph")), data.__cat_dim__(key, value)
            result[key] = value if move is None else value.index_select(dim, move.to(value.device))
        result.num_nodes = data.num_nodes
        return result

    def _tie(self, data: Data) -> Data:
        result, edges = data.clone(), cycle_edges(int(data.num_nodes))
        for key, value in data.to_dict().items():
            level = self.levels.get(key, "graph")
            if not isinstance(value, Tensor):
                continue
            if key == "edge_index":
                result[key] = value if self.inputs.edge else edges.to(value.device)
            elif level == "node" and not _indexes_nodes(data, key, value):
                result[key] = value[:1].expand_as(value).clone()
            elif level == "edge" and not self.inputs.edge:
                first = value[:1] if len(value) else value.new_zeros(1, *value.shape[1:])
                result[key] = first.expand(edges.shape[1], *value.shape[1:]).clone()
        return result


def graphs_of(batch: Any) -> list[Data]:
    """The graphs of a PyG Batch.

    Raises:
        InputError: It has attributes that were set on the batch, so that PyG does not know which
            graph they belong to.
    """
    graphs: list[Data] = batch.to_data_list()
    known = {"batch", "ptr", *(key for data in graphs for key in data.keys())}
    if lost := sorted(set(batch.keys()) - known):
        raise InputError(
            f"Found attributes {', '.join(lost)} that were set on the Batch, and belong to none "
            "of its graphs: set them on each Data, and make the Batch of these."
        )
    return graphs


def _indexes_nodes(data: Data, key: str, value: object) -> bool:
    """Whether an attribute's values are nodes, to be counted on from graph to graph."""
    integer = isinstance(value, Tensor) and not value.is_floating_point()
    return integer and "batch" not in key and bool(data.__inc__(key, value))
