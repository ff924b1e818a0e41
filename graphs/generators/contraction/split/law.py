"""The law of the splits of a state, as its likelihood and its samples share it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.common.mixed_law import MixedLaw
from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.split import coupled_bernoulli as coupled
from graphs.generators.contraction.split.half_edges import HalfEdges
from graphs.generators.contraction.split.numbers import Columns, NumberNet
from graphs.generators.contraction.state.partition import Partition


class SplitLogits(Protocol):
    """Logits of the parts of a code; `graphs.generators.contraction.split.head.SplitHead`."""

    @property
    def connected(self) -> bool:
        """Whether all graphs are."""

    @property
    def labels(self) -> int:
        """Count T of labels of nodes."""

    @property
    def numbers(self) -> NumberNet:
        """Gives the logits of the numbers of a code."""

    @property
    def valence_limits(self) -> ValenceLimits | None:
        """Splits that exceed them are drawn again; None allows all."""

    @property
    def coupling(self) -> coupled.Coupling | None:
        """Couples the half-edges of a cluster; None leaves them independent."""

    def edge_states(self, edge: Tensor, label: Tensor) -> Tensor:
        """(t, d) states of half-edges, from those of their edges and their labels (t,)."""

    def stay_logits(self, cluster: Tensor, edge: Tensor, memory: Tensor) -> Tensor:
        """(t,) logits that a half-edge stays with the first child."""


@dataclass(frozen=True)
class SplitLaw(MixedLaw[SplitLogits, Partition]):
    """The numbers of a cluster's code come one after the other; then where its half-edges go.

    States split, of m clusters and e edges; hidden states are (b, m + e, d).
    """

    @property
    def valid(self) -> Tensor:
        """(b, m + e): clusters that split; the edges' part of the code counts as theirs."""
        return F.pad(self.state.split, (0, self.state.real.shape[1]))

    @property
    def tied(self) -> int:
        """Last numbers of a code that follow from which half-edges stay, if these are coupled."""
        return 0 if self.head.coupling is None else self.state.inner.shape[2]

    def half_edges(self) -> Iterator[tuple[HalfEdges, Tensor | None]]:
        """Half-edges in the order in which they are drawn, and their couplings (rows, D, D).

        They come in parts whose rows are of similar length; couplings are None where half-edges
        are independent.
        """
        half_edges = HalfEdges.of(self.state)
        if not len(half_edges.row):
            return
        kinds = None if self.head.coupling is None else coupled.cluster_kinds(self.state)
        for part in half_edges.by_degree():
            yield (part, None) if kinds is None else self._coupled(part, kinds)

    def _coupled(self, half_edges: HalfEdges, kinds: Tensor) -> tuple[HalfEdges, Tensor]:
        """Half-edges in their order, and their couplings, given `cluster_kinds`."""
        pair_kinds = coupled.pair_kinds(kinds, self.state, half_edges)
        near, kinds = coupled.ordered(half_edges, pair_kinds)

        def pairs(head: SplitLogits, hidden: Tensor) -> Tensor:
            assert head.coupling is not None, "heads that are mixed are of one kind"
            found: Tensor = head.coupling(near.table(self._edges(head, hidden, near), 0), kinds)
            return found

        return near, self.weighted(pairs)

    def stay_logits(self, half_edges: HalfEdges, columns: Columns, code: Tensor) -> Tensor:
        """(t,) logits that half-edges stay with the first child, given compact codes (r, c)."""
        free = code.shape[1] - self.tied
        owner = half_edges.owner[half_edges.row]

        def logits(head: SplitLogits, hidden: Tensor) -> Tensor:
            cluster = hidden[half_edges.graph, half_edges.cluster]
            parts = (x[:, :free] for x in (columns.digit, code, columns.cap))
            memory = head.numbers.remembered(*parts).sum(1)
            edges = self._edges(head, hidden, half_edges)
            return head.stay_logits(cluster, edges, memory[owner])

        return self.weighted(logits)

    def _edges(self, head: SplitLogits, hidden: Tensor, half_edges: HalfEdges) -> Tensor:
        """(t, d) states of half-edges, from those (b, m + e, d) of all tokens."""
        edge = hidden[half_edges.graph, self.state.valid.shape[1] + half_edges.slot]
        return head.edge_states(edge, half_edges.label[half_edges.row])


def bounded(logits: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Logits (..., values) with minus infinity outside of [low, high]."""
    value = torch.arange(logits.shape[-1], device=logits.device)
    outside = (value < low[..., None]) | (value > high[..., None])
    return logits.masked_fill(outside, -torch.inf)
