"""The distribution of splits of a state."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.generators.contraction.split import conditional_bernoulli as subset
from graphs.generators.contraction.split.bounds import Budget
from graphs.generators.contraction.split.law import SplitLaw, SplitLogits, bounded
from graphs.generators.contraction.split.numbers import Columns
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
        budget, columns = Budget.of(state, self.head.connected).compact(self.head.labels)
        given = columns.compact(code[:, :m][state.split])
        total = self._numbers_log_prob(budget, columns, given)
        for half_edges in self.half_edges():
            second = code[half_edges.graph, m + half_edges.slot, half_edges.side]
            stays = half_edges.table(second == 0, False)
            table = half_edges.table(self.stay_logits(half_edges, columns, given), -1e4)
            total = total.index_add(0, half_edges.owner, subset.log_prob(table, stays))
        result = total.new_zeros(code.shape[:2])
        result[:, :m][state.split] = total
        return result

    def _numbers_log_prob(self, budget: Budget, columns: Columns, given: Tensor) -> Tensor:
        """Log-probability (r,) of the numbers of clusters that split, compact codes (r, c)."""
        low, high = budget.bounds(given)
        least = self.head.numbers.values - 1
        ruled_out = ((given < low) | (given > high)).any(1)
        # What the bounds leave no choice of is certain.
        row, column = (low < high).nonzero(as_tuple=True)
        digit, cap = columns.digit[row, column], columns.cap[row, column]
        clusters = self.state.valid.shape[1]

        def logits(head: SplitLogits, hidden: Tensor) -> Tensor:
            numbers = head.numbers
            kept = numbers.remembered(columns.digit, given, columns.cap)
            before = kept.cumsum(1) - kept
            entered = numbers.entered(hidden[:, :clusters][self.state.split])
            return numbers.logits(entered[row], before[row, column], digit, cap)

        table = bounded(self.weighted(logits), low[row, column], high[row, column])
        number = given[row, column].clamp(max=least)
        nats = F.cross_entropy(table, number, reduction="none")
        total = nats.new_zeros(len(given)).index_add(0, row, -nats)
        return total.masked_fill(ruled_out | (given > least).any(1), -torch.inf)

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
