"""The distribution of splits of a state."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.contraction.split import conditional_bernoulli as subset
from graphs.generators.contraction.split import coupled_bernoulli as coupled
from graphs.generators.contraction.split.bounds import Budget
from graphs.generators.contraction.split.half_edges import Ends
from graphs.generators.contraction.split.law import bounded
from graphs.generators.contraction.split.sampling import draw
from graphs.generators.contraction.state import Partition
from refine_core.noise import Noise

if TYPE_CHECKING:
    from graphs.generators.contraction.split.head import SplitHead

TRIES = 20  # draws of a split before one outside of the support is let pass


@dataclass(frozen=True)
class SplitDistribution:
    """Distribution of the codes (b, m + e, g) of the splits of a state.

    Args:
        head: Its parameters.
        state: What splits.
        hidden: Weights and hidden states (b, m + e, d), whose logits are added up; several where
            sampling is guided.
        temperature: Divides all logits; 0 takes the likeliest.
        top_k: Of each number, as in `refine_core.head.CodeDistribution.sharpened`.
        top_p: Of each number, likewise.
    """

    head: "SplitHead"
    state: Partition
    hidden: tuple[tuple[float, Tensor], ...]
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    @property
    def valid(self) -> Tensor:
        """(b, m + e): clusters that split; the edges' part of the code counts as theirs."""
        return F.pad(self.state.split, (0, self.state.real.shape[1]))

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, m + e), each cluster's with that of its edges; else zero.

        Minus infinity where a number is larger than the model knows.
        """
        state, m = self.state, self.state.valid.shape[1]
        given = code[:, :m][state.split]
        rows = given.clamp(max=self.head.values - 1)
        low, high = Budget.of(state, self.head.connected).bounds(given)
        ruled_out = (given < low) | (given > high)
        low, high = low[:, : self.drawn], high[:, : self.drawn]
        # What the bounds leave no choice of is certain.
        digit, row = (low < high).T.nonzero(as_tuple=True)
        logits = self.sum(
            lambda h: self.head.number_logits(h[:, :m][state.split], rows, row, digit)
        )
        logits = bounded(logits, low[row, digit], high[row, digit])
        nats = F.cross_entropy(logits, rows[row, digit], reduction="none")
        total = nats.new_zeros(len(rows)).index_add(0, row, -nats)
        total = total.masked_fill(ruled_out[:, : self.drawn].any(1), -torch.inf)
        total = total.masked_fill((rows < given).any(1), -torch.inf)
        ends = Ends.of(state)
        if len(ends.row):
            ends, pair = self.couple(ends)
            stays = ends.table(code[ends.graph, m + ends.slot, ends.side] == 0, False)
            table = ends.table(self.stay(ends, rows), -1e4)
            if pair is None:
                subsets = subset.log_prob(table, stays)
            else:
                subsets = coupled.log_prob(table, pair, ends.real, stays)
            total = total.index_add(0, ends.owner, subsets)
        result = total.new_zeros(code.shape[:2])
        result[:, :m][state.split] = total
        return result

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes, in nats."""
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, m + e, g); splits that leave the support are drawn again, `TRIES` times.

        So the law is that of `log_prob` given the support, whose probability `log_prob` leaves
        out: it is a lower bound.
        """
        code, m = draw(self, noise)[0], self.state.valid.shape[1]
        support = self.head.support
        if support is None:
            return code
        for attempt in range(1, TRIES):
            wrong = support.violated(self.state, code)
            if not bool(wrong.any()):
                break
            part = replace(self, state=replace(self.state, split=wrong))
            again = draw(part, noise.fork(attempt))[0]
            code[:, :m][wrong] = again[:, :m][wrong]
            if self.state.real.shape[1]:
                ends = wrong.gather(1, self.state.ends.flatten(1)).view_as(self.state.ends)
                code[:, m:, :2] = torch.where(ends, again[:, m:, :2], code[:, m:, :2])
        return code

    def guided(self, unconditional: "SplitDistribution", weight: float) -> "SplitDistribution":
        """Classifier-free guidance on logits (arXiv 2207.12598)."""
        strong = tuple((w * (1 + weight), h) for w, h in self.hidden)
        return replace(
            self, hidden=strong + tuple((-weight * w, h) for w, h in unconditional.hidden)
        )

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> "SplitDistribution":
        """With a temperature, and for numbers the likeliest values only."""
        return replace(self, temperature=temperature, top_k=top_k, top_p=top_p)

    def sum(self, logits: Callable[[Tensor], Tensor]) -> Tensor:
        """Weighted sum of logits, each of one of the hidden states."""
        return torch.stack([w * logits(h) for w, h in self.hidden]).sum(0)

    @property
    def drawn(self) -> int:
        """Numbers of a code that are drawn; the rest, counts of ends, follows from the ends."""
        kinds, every = self.state.inner.shape[2], len(self.head.place)
        return every if self.head.coupling is None else every - kinds

    def couple(self, ends: Ends) -> tuple[Ends, Tensor | None]:
        """Ends in the order in which they are drawn, and what they are to each other.

        That is (r, D, D), or None if they know nothing of each other.
        """
        coupling = self.head.coupling
        if coupling is None:
            return ends, None
        ends, kinds = coupled.ordered(ends, coupled.kinship(self.state, ends))
        return ends, self.sum(lambda h: coupling(ends.table(self.edge(h, ends), 0), kinds))

    def stay(self, ends: Ends, rows: Tensor) -> Tensor:
        """(t,) logits that ends stay with the first child, given the numbers (r, g)."""
        codes = F.pad(rows[:, : self.drawn], (0, rows.shape[1] - self.drawn))
        codes = codes[ends.owner[ends.row]]
        return self.sum(
            lambda h: self.head.stay_logits(h[ends.graph, ends.cluster], self.edge(h, ends), codes)
        )

    def edge(self, hidden: Tensor, ends: Ends) -> Tensor:
        """(t, d) hidden states of the edges, from those (b, m + e, d) of all tokens."""
        edge = hidden[ends.graph, self.state.valid.shape[1] + ends.slot]
        return edge if self.head.label is None else edge + self.head.label(ends.label[ends.row])
