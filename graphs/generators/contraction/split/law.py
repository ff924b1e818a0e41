"""The law of the splits of a state, as its likelihood and its samples share it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.common.mixed_law import MixedLaw
from graphs.generators.common.valence import ValenceLimits
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

    def half_edges(self) -> Iterator[HalfEdges]:
        """Half-edges in parts whose rows are of similar length."""
        half_edges = HalfEdges.of(self.state)
        if len(half_edges.row):
            yield from half_edges.by_degree()

    def stay_logits(self, half_edges: HalfEdges, columns: Columns, code: Tensor) -> Tensor:
        """(t,) logits that half-edges stay with the first child, given compact codes (r, c)."""
        owner = half_edges.owner[half_edges.row]

        def logits(head: SplitLogits, hidden: Tensor) -> Tensor:
            cluster = hidden[half_edges.graph, half_edges.cluster]
            memory = head.numbers.remembered(columns.digit, code, columns.cap).sum(1)
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
