"""The state that refinement refines: a graph of clusters, and which of them split next.

A cluster is known by its counts only: nodes of each label, and edges of each label inside it. An
edge between clusters is an edge of the graph, of which the clusters at both ends are known, but
not yet the nodes. Splits divide these counts exactly, so the totals of a graph never change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphs.data.edge_list import pair_counts
from refine_core.noise import Noise

TABLES = ("nodes", "inner", "valid", "ends", "label", "real", "split")


@dataclass(frozen=True)
class Partition:
    """States of b graphs.

    Args:
        nodes: (b, m, l) int64, nodes in each cluster of each label in the graph's `alphabet`;
            before the first scale the largest count of every label that a graph may have.
        inner: (b, m, O) int64, edges of each label inside each cluster.
        valid: (b, m) bool, False at padding.
        ends: (b, e, 2) int64, clusters at the two ends of each edge between clusters.
        label: (b, e) int64 in 0..O-1, of those edges, seen from the first end.
        real: (b, e) bool, False at padding.
        split: (b, m) bool, clusters that the next codes split.
        noise: Names the samples.
        started: Whether the counts are those of a graph.
        reverse: (O,) int64, labels seen from the second end; None if all look the same.
        attaching: Whether everything has come apart into fragments, and the next code says at
            which of their atoms edges end.
        sites: (b, e, 2) int64, that atom at each end, once it is known.
        alphabet: (b, l) int64, the labels that a graph has, ascending, then others to fill up, so
            that hundreds of labels cost nothing where a graph has few; None is all T labels.
        acyclic: Whether arcs between the children of a cluster go from the first to the second.
    """

    nodes: Tensor
    inner: Tensor
    valid: Tensor
    ends: Tensor
    label: Tensor
    real: Tensor
    split: Tensor
    noise: Noise
    started: bool = True
    reverse: Tensor | None = None
    attaching: bool = False
    sites: Tensor | None = None
    alphabet: Tensor | None = None
    acyclic: bool = False

    def __len__(self) -> int:
        """Count of graphs."""
        return len(self.nodes)

    @property
    def widths(self) -> tuple[int, int]:
        """Columns m of clusters and e of edges: codes (b, m + e, g) have a row for each."""
        return self.valid.shape[1], self.real.shape[1]

    def widened(self, code: Tensor, like: "Partition") -> Tensor:
        """Codes (b, m + e, g) of these states with zeros up to the widths of others."""
        places = zip(code.split(self.widths, 1), like.widths, strict=True)
        return torch.cat([padded(part, width) for part, width in places], 1)

    def rows(self, index: Tensor) -> "Partition":
        """The states of the graphs at `index` (r,), without padding that none of them needs."""
        valid, real = self.valid[index], self.real[index]
        m, e = (int(x.sum(1).max()) if len(index) else 0 for x in (valid, real))
        return Partition(
            nodes=self.nodes[index, :m],
            inner=self.inner[index, :m],
            valid=valid[:, :m],
            ends=self.ends[index, :e],
            label=self.label[index, :e],
            real=real[:, :e],
            split=self.split[index, :m],
            noise=self.noise.rows(index),
            started=self.started,
            reverse=self.reverse,
            attaching=self.attaching,
            alphabet=None if self.alphabet is None else self.alphabet[index],
            acyclic=self.acyclic,
        )

    def repeated(self, times: int, noise: Noise) -> "Partition":
        """Every state `times` times, with noise of their own; labels' reverses are shared."""
        names = TABLES if self.alphabet is None else (*TABLES, "alphabet")
        tables = {name: getattr(self, name).repeat_interleave(times, 0) for name in names}
        return replace(self, noise=noise, **tables)

    @classmethod
    def stacked(cls, parts: Sequence["Partition"]) -> "Partition":
        """One batch of several, padded to the largest; all started, or none; so of attaching."""
        m, e = (max(each) for each in zip(*(part.widths for part in parts), strict=True))
        widths = {"nodes": m, "inner": m, "valid": m, "split": m, "ends": e, "label": e, "real": e}
        tables = {
            name: torch.cat([padded(getattr(part, name), by) for part in parts])
            for name, by in widths.items()
        }
        index = torch.cat([part.noise.index for part in parts])
        noise = Noise(parts[0].noise.seed, index)
        first = parts[0]
        return cls(
            **tables,
            noise=noise,
            started=first.started,
            reverse=first.reverse,
            attaching=first.attaching,
            alphabet=None if first.alphabet is None else torch.cat([p.letters for p in parts]),
            acyclic=first.acyclic,
        )

    @property
    def letters(self) -> Tensor:
        """(b, l) int64, the alphabet spelt out."""
        every = torch.arange(self.nodes.shape[2], device=self.nodes.device)
        return every.expand(len(self), -1) if self.alphabet is None else self.alphabet

    @property
    def labels(self) -> Tensor:
        """(b, m) int64, the most frequent label of each cluster."""
        return self.letters.gather(1, self.nodes.argmax(2))

    @property
    def sizes(self) -> Tensor:
        """(b, m) nodes of each cluster."""
        return self.nodes.sum(2)

    @property
    def joined(self) -> Tensor:
        """(b, m, m) bool, clusters with an edge between them."""
        return self.edge_counts > 0

    @property
    def edge_counts(self) -> Tensor:
        """(b, m, m) int64, edges between clusters."""
        return pair_counts(self.ends, self.real, self.valid.shape[1])

    @property
    def links(self) -> Tensor:
        """(b, m, m, O) int64, edges of each label between clusters, seen from the first."""
        m, kinds = self.inner.shape[1:]
        table = self.inner.new_zeros(len(self), m, m, kinds)
        b, e = torch.nonzero(self.real, as_tuple=True)
        i, j = self.ends[b, e].unbind(1)
        first, second = self.label_at[b, e].unbind(1)
        for place in ((b, i, j, first), (b, j, i, second)):
            table.index_put_(place, torch.ones_like(b), accumulate=True)
        return table

    @property
    def outer(self) -> Tensor:
        """(b, m, O) int64, edges of each label that leave each cluster."""
        table = torch.zeros_like(self.inner)
        b, e = torch.nonzero(self.real, as_tuple=True)
        label = self.label_at[b, e]
        for side in (0, 1):
            place = (b, self.ends[b, e, side], label[:, side])
            table.index_put_(place, torch.ones_like(b), accumulate=True)
        return table

    def between(self, hidden: Tensor) -> Tensor:
        """(b, e, d) sums of the hidden states (b, m, d) of the clusters at both ends of edges."""
        row = torch.arange(len(hidden), device=hidden.device)[:, None, None] * hidden.shape[1]
        both = hidden.flatten(0, 1).index_select(0, (self.ends + row).flatten())
        return both.view(*self.ends.shape, hidden.shape[2]).sum(2)

    @property
    def label_at(self) -> Tensor:
        """(b, e, 2) int64 labels of edges, seen from each end."""
        return both_ways(self.label, self.reverse)


def both_ways(label: Tensor, reverse: Tensor | None) -> Tensor:
    """Labels (..., 2) seen from the first and the second end, from those (...) of the first."""
    return torch.stack([label, label if reverse is None else reverse[label]], -1)


def padded(table: Tensor, width: int) -> Tensor:
    """Table (b, n, ...) with zeros up to `width` columns."""
    more = table.new_zeros(len(table), width - table.shape[1], *table.shape[2:])
    return torch.cat([table, more], 1)


def letters_first(counts: Tensor) -> Tensor:
    """(r, l) int64: which of T counts (r, T) are not zero, ascending; then others to fill up.

    >>> letters_first(torch.tensor([[0, 2, 0, 1], [3, 0, 0, 0]])).tolist()
    [[1, 3], [0, 1]]
    """
    present = counts > 0
    wide = int(present.sum(1).max()) if len(counts) else 0
    place = torch.arange(counts.shape[1], 0, -1, device=counts.device, dtype=torch.int32)
    return (place + place[:1] * present).topk(wide, dim=1).indices
