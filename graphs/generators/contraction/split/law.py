"""The law of the splits of a state, as its likelihood and its samples share it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.split import coupled_bernoulli as coupled
from graphs.generators.contraction.split.half_edges import HalfEdges
from graphs.generators.contraction.state.partition import Partition


class SplitLogits(Protocol):
    """Logits of the parts of a code; `graphs.generators.contraction.split.head.SplitHead`."""

    @property
    def connected(self) -> bool:
        """Whether all graphs are."""

    @property
    def values(self) -> int:
        """Values of a number of a code."""

    @property
    def numbers(self) -> int:
        """Numbers in a cluster's code."""

    @property
    def valence_limits(self) -> ValenceLimits | None:
        """Splits that exceed them are drawn again; None allows all."""

    @property
    def coupling(self) -> coupled.Coupling | None:
        """Couples the half-edges of a cluster; None leaves them independent."""

    def entered(self, hidden: Tensor) -> Tensor:
        """(r, d) hidden states of clusters, as `next_logits` takes them."""

    def number_logits(self, hidden: Tensor, code: Tensor, row: Tensor, digit: Tensor) -> Tensor:
        """(p, values) of numbers of a code, each given those before it."""

    def next_logits(self, entered: Tensor, memory: Tensor, i: int) -> Tensor:
        """(r, values) of number i."""

    def remembered(self, number: Tensor, i: int) -> Tensor:
        """(r, d) what number i (r,) adds to the memory."""

    def edge_states(self, edge: Tensor, label: Tensor) -> Tensor:
        """(t, d) states of half-edges, from those of their edges and their labels (t,)."""

    def stay_logits(self, cluster: Tensor, edge: Tensor, code: Tensor) -> Tensor:
        """(t,) logits that a half-edge stays with the first child."""


@dataclass(frozen=True)
class SplitLaw:
    """The numbers of a cluster's code come one after the other; then where its half-edges go.

    Args:
        head: Gives the logits.
        state: What splits: b graphs of m clusters and e edges.
        hidden: Weights, heads and hidden states (b, m + e, d), whose logits are added up; several
            where sampling is guided.
        temperature: Divides all logits; 0 takes the likeliest.
        top_k: Applied to each number, see `CodeDistribution.sharpened`.
        top_p: Applied to each number, see `CodeDistribution.sharpened`.
    """

    head: SplitLogits
    state: Partition
    hidden: tuple[tuple[float, SplitLogits, Tensor], ...]
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    @property
    def valid(self) -> Tensor:
        """(b, m + e): clusters that split; the edges' part of the code counts as theirs."""
        return F.pad(self.state.split, (0, self.state.real.shape[1]))

    @property
    def free_numbers(self) -> int:
        """Numbers of a code that have a law of their own.

        Where half-edges are coupled, how many stay follows from which do.
        """
        kinds, every = self.state.inner.shape[2], self.head.numbers
        return every if self.head.coupling is None else every - kinds

    def weighted(self, logits: Callable[[SplitLogits, Tensor], Tensor]) -> Tensor:
        """The weighted sum of the logits that heads give of their hidden states."""
        return torch.stack([w * logits(head, h) for w, head, h in self.hidden]).sum(0)

    def coupled(self, half_edges: HalfEdges) -> tuple[HalfEdges, Tensor | None]:
        """Half-edges in the order in which they are drawn, and their couplings (rows, D, D).

        Couplings are None where half-edges are independent.
        """
        if self.head.coupling is None:
            return half_edges, None
        near, kinds = coupled.ordered(half_edges, coupled.pair_kinds(self.state, half_edges))

        def pairs(head: SplitLogits, hidden: Tensor) -> Tensor:
            assert head.coupling is not None, "heads that are mixed are of one kind"
            found: Tensor = head.coupling(near.table(self._edges(head, hidden, near), 0), kinds)
            return found

        return near, self.weighted(pairs)

    def stay_logits(self, half_edges: HalfEdges, numbers: Tensor) -> Tensor:
        """(t,) logits that half-edges stay with the first child, given the numbers (r, g)."""
        free = self.free_numbers
        codes = F.pad(numbers[:, :free], (0, numbers.shape[1] - free))
        codes = codes[half_edges.owner[half_edges.row]]

        def logits(head: SplitLogits, hidden: Tensor) -> Tensor:
            cluster = hidden[half_edges.graph, half_edges.cluster]
            return head.stay_logits(cluster, self._edges(head, hidden, half_edges), codes)

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
