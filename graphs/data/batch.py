"""Graphs as padded batches of labels, and the names of the labels."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.data.arcs import OUT, reversed_name
from refine_core.errors import InputError

ATOM = re.compile(r"[A-Z][a-z]?H?([+-]\d+)?")
_FRAGMENT = re.compile(r"\S*[=#]\S*|\S*(\d)\S*\1\S*")  # it has a multiple bond, or a ring


@dataclass(frozen=True)
class Vocabulary:
    """Names of the labels.

    Args:
        nodes: Name of node label i, e.g. element and formal charge: "C", "N+1", "O-1", or the
            SMILES of a fragment; one empty name for graphs without node labels.
        edges: Name of edge label e = 1, 2, ...: `edges[e - 1]`, e.g. "SINGLE"; one empty name for
            plain graphs. Label 0 is no edge.
        directed: Whether edges are arcs, and their names those of `graphs.data.arcs`.

    >>> import graphs
    >>> vocabulary = graphs.Vocabulary(("C", "N+1", "O"), ("SINGLE", "DOUBLE"))
    >>> vocabulary.nodes.index("O"), 1 + vocabulary.edges.index("DOUBLE"), vocabulary.molecular
    (2, 2, True)
    """

    nodes: tuple[str, ...] = ("",)
    edges: tuple[str, ...] = ("",)
    directed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "edges", tuple(self.edges))
        for kind, names in (("node", self.nodes), ("edge", self.edges)):
            if not names or len(set(names)) < len(names):
                raise InputError(f"A vocabulary needs distinct {kind} labels, found {names}.")

    @property
    def reverse(self) -> Tensor | None:
        """(O,) int64, from 0: each edge label seen from the other end; None if it is the same."""
        if not self.directed:
            return None
        return torch.tensor([self.edges.index(reversed_name(name)) for name in self.edges])

    @property
    def outward(self) -> Tensor | None:
        """(O,) bool: labels of an arc that goes to the other node; None of undirected graphs."""
        if not self.directed:
            return None
        return torch.tensor([name.startswith(OUT) for name in self.edges])

    @property
    def molecular(self) -> bool:
        """Whether the names are those of atoms, fragments and bonds, as `graphs.chem` gives them.

        >>> Vocabulary(("C", "N+1"), ("SINGLE",)).molecular, Vocabulary(("red",)).molecular
        (True, False)
        """
        known = all(ATOM.fullmatch(n) or _FRAGMENT.fullmatch(n) for n in self.nodes)
        return known and set(self.edges) <= {"SINGLE", "DOUBLE", "TRIPLE", "AROMATIC"}

    @property
    def has_fragments(self) -> bool:
        """Whether some nodes are fragments of molecules, see `graphs.chem.fragments`."""
        return self.molecular and not all(ATOM.fullmatch(name) for name in self.nodes)


@dataclass(frozen=True)
class GraphBatch:
    """A batch of graphs with labelled nodes and edges, padded to one size.

    Args:
        nodes: (b, n) int64 labels, 0 at padding.
        edges: (b, n, n) int64 labels, 0 is no edge; zero on the diagonal and at padding;
            symmetric, or of directed graphs `edges[:, j, i]` the reverse of `edges[:, i, j]`.
        valid: (b, n) bool, False at padding.
        sites: (b, n, n) int64, where nodes are fragments: `sites[:, i, j]` is the atom of node i
            from which the edge to node j goes out, 0 without an edge. None where nodes are atoms.

    >>> import torch
    >>> import graphs
    >>> nodes, valid = torch.tensor([[0, 2, 0]]), torch.tensor([[True, True, False]])
    >>> edges = torch.tensor([[[0, 1, 0], [1, 0, 0], [0, 0, 0]]])  # one, of label 1
    >>> batch = graphs.GraphBatch(nodes, edges, valid)
    >>> len(batch), batch.sizes.tolist()
    (1, [2])
    """

    nodes: Tensor
    edges: Tensor
    valid: Tensor
    sites: Tensor | None = None

    def __len__(self) -> int:
        """Count of graphs."""
        return len(self.nodes)

    def __getitem__(self, index: Tensor | slice) -> "GraphBatch":
        """Graphs at `index`."""
        return self._each(lambda table: table[index])

    @property
    def sizes(self) -> Tensor:
        """(b,) nodes of each graph."""
        return self.valid.sum(1)

    def to(self, device: torch.device | str) -> "GraphBatch":
        """The same graphs on another device."""
        return self._each(lambda table: table.to(device))

    def permute(self, order: Tensor) -> "GraphBatch":
        """Relabel: node i of the result is node `order[:, i]` (b, n) of this batch.

        >>> batch = GraphBatch(torch.tensor([[1, 2]]), torch.zeros(1, 2, 2).long(),
        ...                    torch.ones(1, 2).bool())
        >>> batch.permute(torch.tensor([[1, 0]])).nodes.tolist()
        [[2, 1]]
        """
        return GraphBatch(
            self.nodes.gather(1, order),
            permuted(self.edges, order),
            self.valid.gather(1, order),
            None if self.sites is None else permuted(self.sites, order),
        )

    def _each(self, change: Callable[[Tensor], Tensor]) -> "GraphBatch":
        """The batch with every table changed."""
        sites = None if self.sites is None else change(self.sites)
        return GraphBatch(change(self.nodes), change(self.edges), change(self.valid), sites)

    @classmethod
    def joined(cls, parts: Sequence["GraphBatch"]) -> "GraphBatch":
        """One batch of several, padded to the largest graph."""
        n = max(part.nodes.shape[1] for part in parts)
        more = [n - part.nodes.shape[1] for part in parts]
        pairs = list(zip(parts, more, strict=True))
        sites = [F.pad(p.sites, (0, by, 0, by)) for p, by in pairs if p.sites is not None]
        return cls(
            torch.cat([F.pad(part.nodes, (0, by)) for part, by in pairs]),
            torch.cat([F.pad(part.edges, (0, by, 0, by)) for part, by in pairs]),
            torch.cat([F.pad(part.valid, (0, by)) for part, by in pairs]),
            None if parts[0].sites is None else torch.cat(sites),
        )


def permuted(table: Tensor, order: Tensor) -> Tensor:
    """Rows and columns (b, m) of a table (b, n, n): (b, m, m)."""
    rows = table.gather(1, order[:, :, None].expand(-1, -1, table.shape[2]))
    return rows.gather(2, order[:, None].expand(-1, order.shape[1], -1))
