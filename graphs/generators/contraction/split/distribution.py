"""The distribution of splits of a state."""

from dataclasses import replace
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.contraction.split import conditional_bernoulli as subset
from graphs.generators.contraction.split import coupled_bernoulli as coupled
from graphs.generators.contraction.split.bounds import Budget
from graphs.generators.contraction.split.half_edges import HalfEdges
from graphs.generators.contraction.split.law import SplitLaw, bounded
from graphs.generators.contraction.split.sampling import sample
from graphs.generators.contraction.state.valence import violated
from refine_core.noise import Noise

ATTEMPTS = 20  # draws of a split before one that exceeds valence limits is let pass


class SplitDistribution(SplitLaw):
    """Distribution of the codes (b, m + e, g) of the splits of a state."""

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, m + e), each cluster's with that of its edges; else zero.

        Minus infinity where a number is larger than the model knows.
        """
        state, m = self.state, self.state.valid.shape[1]
        given = code[:, :m][state.split]
        total = self._numbers_log_prob(given)
        half_edges = HalfEdges.of(state)
        if len(half_edges.row):
            half_edges, pair = self.coupled(half_edges)
            second = code[half_edges.graph, m + half_edges.slot, half_edges.side]
            stays = half_edges.table(second == 0, False)
            rows = given.clamp(max=self.head.values - 1)
            table = half_edges.table(self.stay_logits(half_edges, rows), -1e4)
            if pair is None:
                subsets = subset.log_prob(table, stays)
            else:
                subsets = coupled.log_prob(table, pair, half_edges.real, stays)
            total = total.index_add(0, half_edges.owner, subsets)
        result = total.new_zeros(code.shape[:2])
        result[:, :m][state.split] = total
        return result

    def _numbers_log_prob(self, given: Tensor) -> Tensor:
        """Log-probability (r,) of the numbers (r, g) of clusters that split."""
        state, free = self.state, self.free_numbers
        rows = given.clamp(max=self.head.values - 1)
        low, high = Budget.of(state, self.head.connected).bounds(given)
        ruled_out = ((given < low) | (given > high))[:, :free].any(1)
        low, high = low[:, :free], high[:, :free]
        # What the bounds leave no choice of is certain.
        digit, row = (low < high).T.nonzero(as_tuple=True)
        clusters = state.valid.shape[1]
        logits = self.weighted(
            lambda head, h: head.number_logits(h[:, :clusters][state.split], rows, row, digit)
        )
        logits = bounded(logits, low[row, digit], high[row, digit])
        nats = F.cross_entropy(logits, rows[row, digit], reduction="none")
        total = nats.new_zeros(len(rows)).index_add(0, row, -nats)
        return total.masked_fill(ruled_out | (rows < given).any(1), -torch.inf)

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes, in nats."""
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, m + e, g); splits that exceed valence limits are drawn again.

        After `ATTEMPTS` they are let pass. So samples follow `log_prob` given the limits, and
        `log_prob`, which leaves out the probability of the limits, is a lower bound.
        """
        code, m = sample(self, noise)[0], self.state.valid.shape[1]
        limits = self.head.valence_limits
        if limits is None:
            return code
        for attempt in range(1, ATTEMPTS):
            wrong = violated(limits, self.state, code)
            if not bool(wrong.any()):
                break
            part = replace(self, state=replace(self.state, split=wrong))
            again = sample(part, noise.fork(attempt))[0]
            code[:, :m][wrong] = again[:, :m][wrong]
            if self.state.real.shape[1]:
                ends = wrong.gather(1, self.state.ends.flatten(1)).view_as(self.state.ends)
                code[:, m:, :2] = torch.where(ends, again[:, m:, :2], code[:, m:, :2])
        return code

    def guided(self, unconditional: Self, weight: float) -> Self:
        """Classifier-free guidance on logits (arXiv 2207.12598)."""
        strong = tuple((w * (1 + weight), head, h) for w, head, h in self.hidden)
        away = tuple((-weight * w, head, h) for w, head, h in unconditional.hidden)
        return replace(self, hidden=strong + away)

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> Self:
        """With a temperature, and for numbers the likeliest values only."""
        return replace(self, temperature=temperature, top_k=top_k, top_p=top_p)
