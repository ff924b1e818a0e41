"""The distribution of splits of a coarse graph."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.common.mixed_law import SharpenedLaw
from graphs.generators.common.streams import ExpansionStream
from graphs.generators.expansion.neighbours import Neighbours
from graphs.generators.expansion.state import CLUSTER_DIGITS, CoarseGraph
from refine_core.errors import InputError
from refine_core.noise import Noise


class ExpansionLogits(ABC):
    """Logits of the parts of a code.

    Attributes:
        width: Neighbours that random numbers are drawn for, so that they do not depend on the
            batch.
    """

    width: int

    @abstractmethod
    def places(self, state: CoarseGraph) -> tuple[int, ...]:
        """Digits of a code that are drawn, in order."""

    @abstractmethod
    def digit_logits(
        self, place: int, own: Tensor, state: CoarseGraph, neighbours: Neighbours, code: Tensor
    ) -> Tensor:
        """(r, v) logits of a digit, given those before it in code (r, CLUSTER_DIGITS)."""

    @abstractmethod
    def completed(self, state: CoarseGraph, neighbours: Neighbours, code: Tensor) -> Tensor:
        """Digits (r, CLUSTER_DIGITS) with those that follow from the others."""

    @abstractmethod
    def labels(self, neighbours: Neighbours, code: Tensor) -> Tensor:
        """(r, d) int64 values of edges in the end (r, 2 m) of a code; 0 at padding."""

    @abstractmethod
    def coded(self, state: CoarseGraph, neighbours: Neighbours, label: Tensor) -> Tensor:
        """(r, 2 m): inverse of `labels`."""

    @abstractmethod
    def edge_states(
        self, hidden: Tensor, state: CoarseGraph, neighbours: Neighbours, code: Tensor
    ) -> Tensor:
        """(r, d, 2 dim) states of edges, given the digits (r, CLUSTER_DIGITS) of their clusters.

        Args:
            hidden: (b, m, dim).
            state: What splits.
            neighbours: Neighbours of the r clusters that split, at the other ends of the edges.
            code: (r, CLUSTER_DIGITS).
        """

    @abstractmethod
    def edge_logits(
        self,
        edge: Tensor,
        state: CoarseGraph,
        neighbours: Neighbours,
        code: Tensor,
        label: Tensor,
        place: slice,
    ) -> Tensor:
        """(r, q, v) logits of edges at `place`, given the values (r, d) of those before them."""


@dataclass(frozen=True)
class ExpansionDistribution(SharpenedLaw):
    """Clusters split independently; the edges of each get their values one after the other.

        p(code) = prod_j p(digit_j | digits before j) prod_i p(edge_i | digits, edges before i)

    Args:
        head: Gives the logits.
        state: What splits.
        hidden: (b, m, d).
        neighbours: Neighbours of the clusters that split, in order.
    """

    head: ExpansionLogits
    state: CoarseGraph
    hidden: Tensor
    neighbours: Neighbours

    @property
    def valid(self) -> Tensor:
        """(b, m) bool, clusters that split."""
        return self.state.split

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, m) of each cluster's split; zero where none is."""
        head, state, neighbours = self.head, self.state, self.neighbours
        splitting = (neighbours.graph, neighbours.cluster)
        given = code[splitting]
        result = self.hidden.new_zeros(code.shape[:2])
        if not len(given):
            return result
        own, digits = self.hidden[splitting], given[:, :CLUSTER_DIGITS]
        total, before = own.new_zeros(len(own)), torch.zeros_like(digits)
        for place in head.places(state):
            logits = head.digit_logits(place, own, state, neighbours, before)
            total = total - F.cross_entropy(logits, digits[:, place], reduction="none")
            before = before.clone()
            before[:, place] = digits[:, place]
        if neighbours.index.shape[1]:
            label = head.labels(neighbours, given[:, CLUSTER_DIGITS:])
            edge = head.edge_states(self.hidden, state, neighbours, digits)
            logits = head.edge_logits(edge, state, neighbours, digits, label, slice(None))
            each = F.log_softmax(logits, 2).gather(2, label[..., None])[..., 0]
            total = total + (each * neighbours.real).sum(1)
        result[splitting] = total
        return result

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes, in nats."""
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, m, CLUSTER_DIGITS + 2 m)."""
        head, state, neighbours = self.head, self.state, self.neighbours
        splitting = (neighbours.graph, neighbours.cluster)
        (count, m), device = state.size.shape, self.hidden.device
        code = torch.zeros(count, m, CLUSTER_DIGITS + 2 * m, dtype=torch.int64, device=device)
        if not len(neighbours.graph):
            return code
        own = self.hidden[splitting]
        uniform = noise.uniform(ExpansionStream.CLUSTER_DIGITS, m, CLUSTER_DIGITS)[splitting]
        digits = torch.zeros(len(own), CLUSTER_DIGITS, dtype=torch.int64, device=device)
        for place in head.places(state):
            logits = head.digit_logits(place, own, state, neighbours, digits)
            digits[:, place] = self.drawn(logits, uniform[:, place])
        digits = head.completed(state, neighbours, digits)
        label = self._edge_values(digits, noise)
        ends = head.coded(state, neighbours, label)
        code[splitting] = torch.cat([digits, ends], 1)
        return code

    def _edge_values(self, digits: Tensor, noise: Noise) -> Tensor:
        """(r, d) int64 values of edges, one after the other; 0 at padding."""
        head, state, neighbours = self.head, self.state, self.neighbours
        label = torch.zeros_like(neighbours.index)
        if not label.shape[1]:
            return label
        uniform = noise.uniform(ExpansionStream.NEIGHBOUR_DIGITS, state.size.shape[1], head.width)
        uniform = uniform[neighbours.graph, neighbours.cluster]
        edge = head.edge_states(self.hidden, state, neighbours, digits)
        for t in range(label.shape[1]):
            one = slice(t, t + 1)
            logits = head.edge_logits(edge, state, neighbours, digits, label, one)[:, 0]
            label[:, t] = self.drawn(logits, uniform[:, t]) * neighbours.real[:, t]
        return label

    def guided(
        self, unconditional: "ExpansionDistribution", weight: float
    ) -> "ExpansionDistribution":
        """There is no context to be guided by."""
        raise InputError("Expansion takes no properties, so there is no guidance.")
