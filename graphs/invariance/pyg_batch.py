"""Batches of PyTorch Geometric."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from graphs.invariance.comparison import Kind
from graphs.invariance.relabelling import Plan, identity, ring
from refine_core.errors import InputError


@dataclass(frozen=True)
class SparseView:
    """A relabelled batch, and the way back.

    Args:
        batch: The PyG Batch.
        inputs: The further inputs, node, edge and graph level.
        nodes: (N,) row of each original node.
        edges: (E,) column of each original edge.
        width: Rows of the batch, N.
    """

    batch: Any
    inputs: tuple[Tensor, ...]
    nodes: Tensor
    edges: Tensor
    width: int

    def read(self, tensor: Tensor, kind: Kind) -> Tensor:
        """An output in the original order."""
        rows = {"node": self.nodes, "edge": self.edges}.get(kind)
        return tensor if rows is None else tensor[rows]

    def align(self, tensor: Tensor, wide: torch.Size, width: int) -> Tensor | None:
        """The same of any tensor inside of a module, where the batch is one graph.

        Integers are taken for indices of nodes, which say nothing about a break: none are kept.

        Args:
            tensor: Of any layout.
            wide: Shape of its counterpart for `Sparse.probe`, which tells what dimensions mean.
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
class Sparse:
    """A PyG batch, ready to be relabelled.

    Args:
        graphs: The Data objects.
        inputs: Node level (N, ...), edge level (E, ...) and graph level (b, ...) tensors.
        roles: Level of every attribute, "node", "edge" or "".
    """

    graphs: list[Any]
    inputs: tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]
    roles: dict[str, str]

    padded = False
    fresh = "reordering the edges"

    @classmethod
    def of(cls, graphs: list[Any], inputs: Any) -> "Sparse":
        """Tell the level of each attribute by its sizes in all graphs.

        Raises:
            InputError: The edges are not given as `edge_index`.
        """
        found = {key for data in graphs for key in data.keys()}
        if "edge_index" not in found or any(key.startswith("adj") for key in found):
            raise InputError(
                f"Found a PyG batch with attributes {sorted(found)}, expected edges as "
                "edge_index: convert sparse adjacencies first."
            )
        made = cls(graphs, inputs, {})
        for key, value in graphs[0].to_dict().items():
            if isinstance(value, Tensor) and value.ndim:
                dim = graphs[0].__cat_dim__(key, value)
                sizes = [data[key].size(dim) for data in graphs]
                node, edge = sizes == made.sizes, sizes == made.links
                is_edge = edge and ("edge" in key or not node)
                made.roles[key] = "edge" if is_edge else "node" if node else ""
        return made

    @property
    def sizes(self) -> list[int]:
        """Nodes of each graph."""
        return [int(data.num_nodes) for data in self.graphs]

    @property
    def links(self) -> list[int]:
        """Edges of each graph."""
        return [int(data.num_edges) for data in self.graphs]

    def identity(self) -> Plan:
        """The plan that changes nothing."""
        return identity([torch.arange(size) for size in self.sizes], sum(self.sizes))

    def only(self, graph: int) -> "Sparse":
        """One graph."""
        spans = [(sum(counts[:graph]), counts[graph]) for counts in (self.sizes, self.links)]
        spans.append((graph, 1))
        nodes, edges, graphs = (
            tuple(t[start : start + length] for t in level)
            for (start, length), level in zip(spans, self.inputs, strict=True)
        )
        return replace(self, graphs=[self.graphs[graph]], inputs=(nodes, edges, graphs))

    def tied(self) -> "Sparse":
        """Nodes that nothing tells apart: equal features, on a cycle (if no edge inputs are)."""
        return replace(self, graphs=[self._tie(data) for data in self.graphs])

    def cast(self, dtype: torch.dtype) -> "Sparse":
        """Floating-point tensors in another precision."""

        def change(tensor: Tensor) -> Tensor:
            return tensor.to(dtype) if tensor.is_floating_point() else tensor

        nodes, edges, graphs = (tuple(map(change, level)) for level in self.inputs)
        batch = [data.clone().apply(change) for data in self.graphs]
        return replace(self, graphs=batch, inputs=(nodes, edges, graphs))

    def arrange(self, plan: Plan) -> SparseView:
        """Relabel the nodes and shuffle the edges."""
        from torch_geometric.data import Batch

        random = torch.Generator().manual_seed(plan.seed or 0)
        made: list[Any] = []
        nodes: list[Tensor] = []
        edges: list[Tensor] = []
        for i, data in enumerate(self.graphs):
            count = int(data.num_edges)
            drawn = torch.randperm(count, generator=random)
            shuffle = torch.arange(count) if plan.seed is None else drawn
            rank = plan.order[i].argsort()
            made.append(self._relabel(data, plan.order[i], rank, shuffle))
            nodes.append(rank + sum(map(len, nodes)))
            edges.append(shuffle.argsort() + sum(map(len, edges)))
        rows, columns = torch.cat(nodes), torch.cat(edges)
        inputs = (
            *(t[rows.argsort()] for t in self.inputs[0]),
            *(t[columns.argsort()] for t in self.inputs[1]),
            *self.inputs[2],
        )
        return SparseView(Batch.from_data_list(made), inputs, rows, columns, len(rows))

    def probe(self, width: int) -> SparseView:
        """The batch twice and a node alone: 2N + 1 nodes, 2E edges and 2b + 1 graphs."""
        alone = self.graphs[0].clone()
        for key, value in alone.to_dict().items():
            if isinstance(value, Tensor) and self.roles.get(key):
                keep = 1 if self.roles[key] == "node" else 0
                value = value.narrow(alone.__cat_dim__(key, value), 0, keep)
            alone[key] = value * 0 if _indexes_nodes(alone, key, value) else value
        alone.num_nodes = 1
        node, edge, graph = (
            tuple(torch.cat([t, t, t[:keep]]) for t in level)
            for keep, level in zip((1, 0, 1), self.inputs, strict=True)
        )
        wide = replace(
            self, graphs=[*self.graphs, *self.graphs, alone], inputs=(node, edge, graph)
        )
        return wide.arrange(wide.identity())

    def kind(self, name: str, narrow: torch.Size, wide: torch.Size, width: int) -> Kind:
        """Level of an output, told by its first dimension here and for the probe."""
        nodes, edges = sum(self.sizes), sum(self.links)
        first = (narrow[:1], wide[:1])
        if first in (((nodes,), (width,)), ((nodes,), (nodes,))):
            return "node"
        if first in (((edges,), (2 * edges,)), ((edges,), (edges,))):
            return "edge"
        return "graph"

    def _relabel(self, data: Any, order: Tensor, rank: Tensor, shuffle: Tensor) -> Any:
        made = data.clone()
        for key, value in data.to_dict().items():
            if not isinstance(value, Tensor):
                continue
            if _indexes_nodes(data, key, value):
                value = rank.to(value.device)[value]
            moves = {"node": order, "edge": shuffle}
            move, dim = moves.get(self.roles.get(key, "")), data.__cat_dim__(key, value)
            made[key] = value if move is None else value.index_select(dim, move.to(value.device))
        made.num_nodes = data.num_nodes
        return made

    def _tie(self, data: Any) -> Any:
        made, edges = data.clone(), ring(int(data.num_nodes))
        for key, value in data.to_dict().items():
            role = self.roles.get(key, "")
            if key == "edge_index":
                made[key] = value if self.inputs[1] else edges.to(value.device)
            elif role == "node" and not _indexes_nodes(data, key, value):
                made[key] = value[:1].expand_as(value).clone()
            elif role == "edge" and not self.inputs[1]:
                first = value[:1] if len(value) else value.new_zeros(1, *value.shape[1:])
                made[key] = first.expand(edges.shape[1], *value.shape[1:]).clone()
        return made


def _indexes_nodes(data: Any, key: str, value: Any) -> bool:
    """Whether an attribute's values are nodes, to be counted on from graph to graph."""
    integer = isinstance(value, Tensor) and not value.is_floating_point()
    return integer and "batch" not in key and bool(data.__inc__(key, value))
