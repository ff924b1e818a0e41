"""The distribution of the labels that a scale reveals."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.common.mixed_law import SharpenedLaw
from graphs.generators.common.streams import MaskedStream
from graphs.generators.common.valence import ValenceLimits
from graphs.generators.masked.state import PartialGraphs, uniforms
from refine_core.errors import InputError
from refine_core.noise import Noise

ATTEMPTS = 20  # draws of labels before some that exceed valence limits are let pass


@dataclass(frozen=True)
class RevealDistribution(SharpenedLaw):
    """Independent labels of the elements that a scale reveals.

    Args:
        nodes: (b, n, T) logits.
        edges: (b, n, n, O + 1) logits, symmetric; label 0 is no edge.
        state: State of the graphs before the scale.
        goal: (b,) int64, count of known elements after the scale.
        valence_limits: Labels that exceed them are drawn again; None allows all.
    """

    nodes: Tensor
    edges: Tensor
    state: PartialGraphs
    goal: Tensor
    valence_limits: ValenceLimits | None = None

    @property
    def valid(self) -> Tensor:
        """(b, n) bool."""
        return self.state.valid

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, n) of a code, half of a pair's at each of its nodes."""
        node, edge = code[:, :, 0], code[:, :, 1:]
        nodes = self._log_prob(self.nodes, node)
        edges = self._log_prob(self.edges, edge)
        return nodes + edges.sum(2) / 2

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes, in nats."""
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, n, 1 + n).

        Labels that exceed valence limits are drawn again, `ATTEMPTS` times at most.
        """
        node, edge = self._labels(noise)
        revealed_node, revealed_edge = self._revealed()
        code = torch.cat([((node + 1) * revealed_node)[:, :, None], (edge + 1) * revealed_edge], 2)
        for attempt in range(1, ATTEMPTS if self.valence_limits else 1):
            wrong = self._violated(self.state.filled(code))
            if not bool(wrong.any()):
                break
            node, edge = self._labels(noise.fork(attempt))
            touched = wrong[:, :, None] | wrong[:, None]
            code = torch.cat(
                [
                    torch.where(wrong & revealed_node, node + 1, code[:, :, 0])[:, :, None],
                    torch.where(touched & revealed_edge, edge + 1, code[:, :, 1:]),
                ],
                2,
            )
        return code

    def guided(self, unconditional: "RevealDistribution", weight: float) -> "RevealDistribution":
        """There is no context to be guided by."""
        raise InputError("Masked diffusion takes no properties, so there is no guidance.")

    def _log_prob(self, logits: Tensor, digit: Tensor) -> Tensor:
        """Log-probability of digits 1 + label; zero where the digit is 0."""
        label = (digit - 1).clamp(min=0)
        each = F.log_softmax(logits, -1).gather(-1, label[..., None])[..., 0]
        return torch.where(digit > 0, each, 0.0)

    def _labels(self, noise: Noise) -> tuple[Tensor, Tensor]:
        """Labels (b, n) and (b, n, n) of all elements."""
        node, edge = uniforms(noise, MaskedStream.LABELS, self.nodes.shape[1], self.state.width)
        return self.drawn(self.nodes, node), self.drawn(self.edges, edge)

    def _revealed(self) -> tuple[Tensor, Tensor]:
        """Which nodes (b, n) and pairs (b, n, n) are revealed: the next in the random order."""
        state, goal = self.state, self.goal
        return (
            state.node_hidden & (state.node_rank < goal[:, None]),
            state.edge_hidden & (state.edge_rank < goal[:, None, None]),
        )

    def _violated(self, state: PartialGraphs) -> Tensor:
        """(b, n) bool: known nodes whose known edges exceed their valence limit."""
        assert self.valence_limits is not None
        capacity = torch.tensor((*self.valence_limits.capacity, 10**6), device=state.nodes.device)
        weight = torch.tensor((0, *self.valence_limits.weight, 0), device=state.nodes.device)
        return (weight[state.edges].sum(2) > capacity[state.nodes]) & state.valid
