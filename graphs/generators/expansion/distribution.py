"""The distribution of splits of a coarse graph."""

from dataclasses import dataclass, replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.expansion.neighbours import Deal
from graphs.generators.expansion.state import FIXED, Coarse
from refine_core.errors import InputError
from refine_core.head import CodeDistribution
from refine_core.noise import Noise


class Dealer(Protocol):
    """Logits of the parts of a code, see `graphs.generators.expansion.head.DealHead`."""

    width: int

    def places(self, state: Coarse) -> tuple[int, ...]: ...  # noqa: D102
    def digit_logits(  # noqa: D102
        self, place: int, own: Tensor, state: Coarse, deal: Deal, code: Tensor
    ) -> Tensor: ...
    def completed(self, state: Coarse, deal: Deal, code: Tensor) -> Tensor: ...  # noqa: D102
    def labels(self, deal: Deal, code: Tensor) -> Tensor: ...  # noqa: D102
    def coded(self, state: Coarse, deal: Deal, label: Tensor) -> Tensor: ...  # noqa: D102
    def start(self, hidden: Tensor, state: Coarse, deal: Deal, code: Tensor) -> Tensor: ...  # noqa: D102
    def edge_logits(  # noqa: D102
        self, base: Tensor, state: Coarse, deal: Deal, code: Tensor, label: Tensor, place: slice
    ) -> Tensor: ...


@dataclass(frozen=True)
class DealDistribution:
    """Of clusters that split independently; of each, its edges are dealt one after the other.

        p(code) = prod_j p(digit_j | digits before j) prod_i p(edge_i | digits, edges before i)

    Args:
        head: Its parameters.
        state: What splits.
        hidden: (b, m, d).
        deal: Neighbours in order.
        temperature: Divides the logits.
        top_k: As in `refine_core.head.CodeDistribution.sharpened`.
        top_p: Likewise.
    """

    head: Dealer
    state: Coarse
    hidden: Tensor
    deal: Deal
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    @property
    def valid(self) -> Tensor:
        """(b, m) bool, clusters that split."""
        return self.state.split

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, m) of each cluster's split; zero where none is."""
        head, state, deal = self.head, self.state, self.deal
        given = code[deal.graph, deal.cluster]
        result = self.hidden.new_zeros(code.shape[:2])
        if not len(given):
            return result
        own, digits = self.hidden[deal.graph, deal.cluster], given[:, :FIXED]
        total = own.new_zeros(len(own))
        for place in head.places(state):
            logits = head.digit_logits(place, own, state, deal, digits)
            total = total - F.cross_entropy(logits, digits[:, place], reduction="none")
        if deal.near.shape[1]:
            label = head.labels(deal, given[:, FIXED:])
            base = head.start(self.hidden, state, deal, digits)
            logits = head.edge_logits(base, state, deal, digits, label, slice(None))
            each = F.log_softmax(logits, 2).gather(2, label[..., None])[..., 0]
            total = total + (each * deal.real).sum(1)
        result[deal.graph, deal.cluster] = total
        return result

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes, in nats."""
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, m, FIXED + 2 m)."""
        head, state, deal = self.head, self.state, self.deal
        count, m = state.size.shape
        code = torch.zeros(count, m, FIXED + 2 * m, dtype=torch.int64, device=self.hidden.device)
        if not len(deal.graph):
            return code
        own = self.hidden[deal.graph, deal.cluster]
        draw = noise.uniform(0, m, FIXED)[deal.graph, deal.cluster]
        digits = torch.zeros(len(own), FIXED, dtype=torch.int64, device=own.device)
        for place in head.places(state):
            logits = head.digit_logits(place, own, state, deal, digits)
            digits[:, place] = self._drawn(logits, draw[:, place])
        digits = head.completed(state, deal, digits)
        label = torch.zeros_like(deal.near)
        if label.shape[1]:
            draws = noise.uniform(1, m, head.width)[deal.graph, deal.cluster]
            base = head.start(self.hidden, state, deal, digits)
            for t in range(label.shape[1]):
                place_ = slice(t, t + 1)
                logits = head.edge_logits(base, state, deal, digits, label, place_)[:, 0]
                label[:, t] = self._drawn(logits, draws[:, t]) * deal.real[:, t]
        code[deal.graph, deal.cluster] = torch.cat([digits, head.coded(state, deal, label)], 1)
        return code

    def guided(self, unconditional: "DealDistribution", weight: float) -> "DealDistribution":
        """There is no context to be guided by."""
        raise InputError("Expansion takes no properties, so there is no guidance.")

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> "DealDistribution":
        """With a temperature, and the likeliest values only."""
        return replace(self, temperature=temperature, top_k=top_k, top_p=top_p)

    def _drawn(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """(r,) values of logits (r, v) at uniform numbers (r,)."""
        every = CodeDistribution(logits[:, None, None])
        sharp = every.sharpened(self.temperature, self.top_k, self.top_p)
        return sharp.inverse(uniform[:, None, None])[:, 0, 0]
