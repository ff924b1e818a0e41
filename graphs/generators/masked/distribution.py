"""The distribution of what a scale reveals of partial graphs."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.common.valence import Support
from graphs.generators.masked.state import Order, Partial, draws, ranks
from refine_core.errors import InputError
from refine_core.head import CodeDistribution
from refine_core.noise import Noise

TRIES = 20  # draws of labels before some outside of the support are let pass


@dataclass(frozen=True)
class RevealDistribution:
    """Independent labels of the elements that a scale reveals.

    Args:
        nodes: (b, n, T) logits.
        edges: (b, n, n, O + 1) logits, symmetric; label 0 is no edge.
        state: What is known.
        goal: (b,) int64, elements known after the scale.
        order: Whether what is revealed is the next in the state's random order, or what is drawn
            with most confidence, with noise that falls to nothing in the end (MaskGIT, Chang et
            al., arXiv 2202.04200).
        support: Labels outside of it are drawn again; None allows all.
        temperature: Divides the logits.
        top_k: As in `refine_core.head.CodeDistribution.sharpened`.
        top_p: Likewise.
    """

    nodes: Tensor
    edges: Tensor
    state: Partial
    goal: Tensor
    order: Order = "random"
    support: Support | None = None
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    @property
    def valid(self) -> Tensor:
        """(b, n) bool."""
        return self.state.valid

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, n) of what a code reveals; half of a pair's counts for each end."""
        node, edge = code[:, :, 0], code[:, :, 1:]
        nodes = self._log_prob(self.nodes, node)
        edges = self._log_prob(self.edges, edge)
        return nodes + edges.sum(2) / 2

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes, in nats."""
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, n, 1 + n).

        Labels that give a node more edges than any node of its label had in training are drawn
        again, `TRIES` times.
        """
        node, edge, shown = self._draw(noise)
        code = torch.cat([(node + 1)[:, :, None] * shown[0][:, :, None], (edge + 1) * shown[1]], 2)
        for attempt in range(1, TRIES if self.support else 1):
            wrong = self._violated(self.state.filled(code))
            if not bool(wrong.any()):
                break
            nodes, edges, _ = self._draw(noise.fork(attempt))
            touched = wrong[:, :, None] | wrong[:, None]
            code = torch.cat(
                [
                    torch.where(wrong & shown[0], nodes + 1, code[:, :, 0])[:, :, None],
                    torch.where(touched & shown[1], edges + 1, code[:, :, 1:]),
                ],
                2,
            )
        return code

    def guided(self, unconditional: "RevealDistribution", weight: float) -> "RevealDistribution":
        """There is no context to be guided by."""
        raise InputError("Masked diffusion takes no properties, so there is no guidance.")

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> "RevealDistribution":
        """With a temperature, and the likeliest labels only."""
        return replace(self, temperature=temperature, top_k=top_k, top_p=top_p)

    def _log_prob(self, logits: Tensor, shown: Tensor) -> Tensor:
        """Of labels, counted from one; zero where nothing is shown."""
        label = (shown - 1).clamp(min=0)
        each = F.log_softmax(logits, -1).gather(-1, label[..., None])[..., 0]
        return torch.where(shown > 0, each, 0.0)

    def _draw(self, noise: Noise) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Labels (b, n) and (b, n, n) of all elements, and which of them are revealed."""
        uniform = draws(noise, 0, self.nodes.shape[1], self.state.width)
        labels, sure = [], []
        for logits, number in zip((self.nodes, self.edges), uniform, strict=True):
            flat = logits.flatten(1, -2)[:, :, None]
            sharp = CodeDistribution(flat).sharpened(self.temperature, self.top_k, self.top_p)
            drawn = sharp.inverse(number.flatten(1)[:, :, None])
            chance = F.log_softmax(flat, -1).gather(3, drawn[..., None])
            labels.append(drawn.view_as(number))
            sure.append(chance.view_as(number))
        return labels[0], labels[1], self._shown(noise, sure)

    def _shown(self, noise: Noise, sure: list[Tensor]) -> tuple[Tensor, Tensor]:
        state = self.state
        hidden = state.node_hidden, state.edge_hidden
        places = state.node_rank, state.edge_rank
        if self.order == "confidence":
            # Gumbel noise, whose scale falls from one to zero.
            left = 1 - self.goal / state.elements
            scores = []
            for number, score in zip(
                draws(noise, 2, self.nodes.shape[1], self.state.width), sure, strict=True
            ):
                gumbel = -(-(number.clamp(1e-7, 1 - 1e-7)).log()).log()
                scores.append(-(score + gumbel * left.view(-1, *[1] * (score.ndim - 1))))
            known = (
                torch.where(hidden[0], scores[0], -1e9),
                torch.where(hidden[1], scores[1], -1e9),
            )
            places = ranks(*known, state.valid)
        return (
            hidden[0] & (places[0] < self.goal[:, None]),
            hidden[1] & (places[1] < self.goal[:, None, None]),
        )

    def _violated(self, state: Partial) -> Tensor:
        """(b, n) bool: nodes whose known edges exceed the capacity of their known label."""
        assert self.support is not None
        capacity = torch.tensor((*self.support.capacity, 10**6), device=state.nodes.device)
        weight = torch.tensor((0, *self.support.weight, 0), device=state.nodes.device)
        return (weight[state.edges].sum(2) > capacity[state.nodes]) & state.valid
