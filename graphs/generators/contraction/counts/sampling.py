"""Samples of counts, free ones or such that meet a demand: label by label, then the edges.

A graph that has drawn the end of its labels waits for the others, so that ever fewer are computed.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graphs.generators.common.sizes import SizeLimit
from graphs.generators.common.streams import SplitStream
from graphs.generators.contraction.split.bounds import INNER, Budget, Demand, later
from graphs.generators.contraction.split.law import bounded
from refine_core.noise import Noise

if TYPE_CHECKING:
    from graphs.generators.contraction.counts.head import CountDistribution, Past

Bounds = tuple[Tensor, Tensor]


def sample(
    law: "CountDistribution", noise: Noise, demand: Demand | None = None
) -> tuple[Tensor, Tensor]:
    """Codes (b, 1, g), and the logarithm (b, 1) of the share of the law left over.

    Args:
        law: Law of the counts of b graphs.
        noise: Names the graphs.
        demand: What they have to hold; then they are within the size limit, too, without being
            drawn again.
    """
    head, count, device = law.head, len(noise), noise.index.device
    every, ones = torch.arange(count, device=device), torch.ones(count, 1, device=device).long()
    # Before the first scale all graphs may have the same counts.
    free = Budget.of(law.state.rows(every[:1]), head.connected)
    budget = free if demand is None else Budget.of(law.state, head.connected, demand)
    bounds = LabelBounds(budget, demand, head.size_limit)
    draw = _Draw(law, noise, narrowed=demand is not None)
    rows = every.new_zeros(count, head.labels + 3 * head.kinds)
    at, last, drawn = every, every.new_full((count,), -1), every.new_zeros(count, 2)
    while len(at):
        label = draw.label(at, last[at], bounds.open(at, last[at], drawn[at]))
        going = label < head.labels
        at, label = at[going], label[going]
        low, high = bounds.of(at, label, drawn[at])
        wide = ones[at, 0], free.nodes[0, label]
        number = draw.count(at, label, (low.clamp(min=1), high), wide)
        rows[at, label], last[at] = number, label
        drawn[at] += number[:, None] * bounds.sizes[label]
    for kind in range(head.kinds):
        digit = head.labels + kind
        label = torch.full_like(last, digit + 1)
        inside, wide = (
            (low[:, kind], high.maximum(low)[:, kind])
            for low, high in (each.bounds(rows, INNER) for each in (budget, free))
        )
        draw.advance(every)
        rows[:, digit] = draw.count(every, label, inside, wide, digit + 1)
    return rows[:, None], draw.share[:, None]


class LabelBounds:
    """Which labels may come next, and of how many nodes, as those of a graph are drawn in order.

    Args:
        budget: Of graphs whose counts are to be drawn.
        demand: What they have to hold; None is nothing.
        limit: Of the size of those that have to hold something.

    Attributes:
        sizes: (T, 2) int64, what a node of a label adds to what has been `drawn`: one node, and
            its share of the size limit.
    """

    def __init__(self, budget: Budget, demand: Demand | None, limit: SizeLimit | None) -> None:
        self.demanded, self.limited = demand is not None, demand is not None and limit is not None
        self.floor, self.cap = budget.demand.nodes[:, 0], budget.nodes - budget.demand.nodes[:, 1]
        self.least = 1 - later(self.cap)
        self.most = budget.largest()[:, None] - later(self.floor)
        size = torch.ones_like(self.floor[0])
        if demand is not None and limit is not None:
            size = limit.weights(size.device)
            self.left = limit.most - later(self.floor * size)
        self.sizes = torch.stack([torch.ones_like(size), size], 1)

    def of(self, at: Tensor, label: Tensor | None, drawn: Tensor) -> Bounds:
        """Fewest and most nodes (r,) of labels (r,) that may come next, or (r, T) of all labels.

        Args:
            at: (r,) int64, which graphs.
            label: One label for each; None is every label.
            drawn: (r, 2) sums over the labels before, see `sizes`.
        """
        row = at if self.demanded else torch.zeros_like(at)
        nodes, used = drawn.unbind(1) if label is not None else drawn[:, :, None].unbind(1)

        def of(table: Tensor) -> Tensor:
            return table[row] if label is None else table[row, label]

        low = torch.maximum(of(self.least) - nodes, of(self.floor))
        high = torch.minimum(of(self.most) - nodes, of(self.cap)).clamp_(min=0)
        if self.limited:
            size = self.sizes[:, 1] if label is None else self.sizes[label, 1]
            room = (of(self.left) - used).div_(size, rounding_mode="floor").clamp_(min=0)
            high = high.minimum(room).maximum(low)
        return low, high

    def open(self, at: Tensor, last: Tensor, drawn: Tensor) -> Tensor:
        """(r, T + 1) bool, the labels that may come next, or the end of them.

        Nothing is left out that is demanded.

        Args:
            at: (r,) int64, which graphs.
            last: (r,) the label that came last; -1 at the start.
            drawn: (r, 2) sums over the labels up to that.
        """
        labels = self.cap.shape[1]
        place = torch.arange(labels + 1, device=at.device)
        ahead = place > last[:, None]
        ahead[:, -1] = last >= 0
        if not self.demanded:
            ahead[:, :-1] &= (self.cap > 0) & (drawn[:, :1] < self.most[:, :1])
            return ahead
        low, high = self.of(at, None, drawn)
        owed = (low > 0) & ahead[:, :-1]
        first = torch.where(owed.any(1), owed.int().argmax(1), labels)[:, None]
        ahead[:, :-1] &= high > 0
        return ahead & (place <= first)


class _Draw:
    """Labels and counts of b graphs, one after the other, and what the heads know meanwhile.

    Args:
        law: The law.
        noise: Names the graphs.
        narrowed: Whether less than the law allows may be drawn.

    Attributes:
        share: (b,) logarithm of the share of the law that was allowed.
    """

    def __init__(self, law: "CountDistribution", noise: Noise, *, narrowed: bool) -> None:
        self.law, self.noise, self.narrowed = law, noise, narrowed
        self.share = torch.zeros(len(noise), device=noise.index.device)
        self.past: list[Past] = [[None] * len(each.blocks) for _, each, _ in law.hidden]
        end = torch.full_like(noise.index, law.head.labels)
        self.before = torch.stack([end, torch.zeros_like(end)], 1)
        self.real: list[Tensor] = []
        self.known: list[Tensor] = []

    def advance(self, at: Tensor) -> None:
        """Let the graphs `at` (r,) read their last pair; later steps of others do not see it."""
        real = torch.zeros_like(self.share).bool()
        real[at] = True
        mask = additive(torch.stack([*self.real, real], 1)[at])
        last = self.before[at]
        before = (last[:, 0], last[:, 1]) if self.real else None
        self.real.append(real)
        self.known = []
        for (_, head, hidden), past in zip(self.law.hidden, self.past, strict=True):
            own: Past = [None if pair is None else (pair[0][at], pair[1][at]) for pair in past]
            self.known.append(head.step(hidden[at], before, own, mask))
            past[:] = [_spread(old, new, at, real) for old, new in zip(past, own, strict=True)]

    def label(self, at: Tensor, last: Tensor, open_: Tensor) -> Tensor:
        """Labels (r,) after the `last` ones of the graphs `at`, among those open (r, T + 1)."""
        place, labels = 2 * len(self.real), self.law.head.labels
        self.advance(at)
        logits = self.law.weighted(lambda each, x: each.next_logits(x), self.known)
        if self.narrowed:
            logits = ahead_of(logits, last)
        label = self._drawn(at, logits, open_, place)
        going = label < labels
        self.known = [known[going] for known in self.known]
        self.before[at[~going]] = torch.tensor([labels, 0], device=at.device)
        return label

    def count(
        self, at: Tensor, label: Tensor, bounds: Bounds, wide: Bounds, place: int | None = None
    ) -> Tensor:
        """Counts (r,) of labels (r,) within bounds, of a law within wider ones."""
        place = len(self.real) - 1 if place is None else place
        logits = self.law.weighted(lambda each, x: each.count_logits(x, label), self.known)
        value = torch.arange(logits.shape[1], device=label.device)
        inside = (value >= bounds[0][:, None]) & (value <= bounds[1][:, None])
        count = self._drawn(at, bounded(logits, *wide), inside, 2 * place + 1)
        self.before[at] = torch.stack([label, count], 1)
        return count

    def _drawn(self, at: Tensor, logits: Tensor, inside: Tensor, place: int) -> Tensor:
        """Values (r,) of logits (r, v) among those `inside`, by the random number at a place."""
        within = logits.masked_fill(~inside, -torch.inf)
        if self.narrowed:
            self.share[at] += self.law.log_share(within, logits)
        uniform = self.noise.uniform(SplitStream.NUMBERS, 1, start=place)
        return self.law.drawn(within, uniform[at, 0])


def ahead_of(logits: Tensor, last: Tensor) -> Tensor:
    """Logits (..., T + 1) of labels beyond the last one (...); of no node there is no end."""
    place = torch.arange(logits.shape[-1], device=last.device)
    ahead = place > last[..., None]
    ahead[..., -1] = last >= 0
    return logits.masked_fill(~ahead, -torch.inf)


def additive(seen: Tensor) -> Tensor:
    """A mask that adds nothing where something is seen, and minus infinity elsewhere."""
    return torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, -torch.inf)


def _spread(
    old: tuple[Tensor, Tensor] | None, new: tuple[Tensor, Tensor] | None, at: Tensor, real: Tensor
) -> tuple[Tensor, Tensor] | None:
    """Keys and values of all graphs, from those before, and those (r, ...) of the graphs `at`."""
    if new is None or len(at) == len(real):
        return new
    made = []
    for k, each in enumerate(new):
        whole = each.new_zeros(len(real), *each.shape[1:])
        if old is not None:
            whole[:, :, :-1] = old[k]
        made.append(whole.index_copy_(0, at, each))
    return made[0], made[1]
