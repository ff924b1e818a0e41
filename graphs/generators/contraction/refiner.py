"""Training a refiner of contractions: only what has something to learn is computed.

A graph that has come apart has nothing to split at later scales, so these leave it out. Of the
others a share may be drawn, which trades scales of few graphs for scales of more graphs: the later
a scale, the more clusters it reads and the fewer of them it splits. States of like size go through
the transformer together, whatever their scale.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graphs.generators.common.refiner import GraphData, GraphRefiner
from graphs.generators.contraction.state import Partition, padded
from refine_core.errors import InputError
from refine_core.noise import Noise, Stream
from refine_core.tokenizer import Trace
from refine_core.tokens import join


@dataclass(frozen=True)
class Lesson:
    """States to learn from, r of them, all before the first scale or all after it.

    Args:
        state: Their clusters and edges.
        code: (r, m + e, g) of what splits next.
        graph: (r,) int64, place of each one's graph in the batch.
        weight: (r,) of its loss.
    """

    state: Partition
    code: Tensor
    graph: Tensor
    weight: Tensor

    def rows(self, index: Tensor) -> "Lesson":
        """Those at `index`, without padding that none of them needs."""
        state, m = self.state.rows(index), self.state.valid.shape[1]
        cluster = self.code[index, : state.valid.shape[1]]
        edge = self.code[index, m : m + state.real.shape[1]]
        code = torch.cat([cluster, edge], 1)
        return Lesson(state, code, self.graph[index], self.weight[index])

    @classmethod
    def joined(cls, parts: list["Lesson"]) -> "Lesson":
        """One of several, padded to the largest."""
        state = Partition.stacked([part.state for part in parts])
        m, e = state.valid.shape[1], state.real.shape[1]
        clusters, edges = [], []
        for part in parts:
            here = part.state.valid.shape[1]
            clusters.append(padded(part.code[:, :here], m))
            edges.append(padded(part.code[:, here:], e))
        code = torch.cat([torch.cat(clusters), torch.cat(edges)], 1)
        graph, weight = (torch.cat([getattr(p, x) for p in parts]) for x in ("graph", "weight"))
        return cls(state, code, graph, weight)

    def alike(self) -> Iterator["Lesson"]:
        """In parts of like size: of 1, of 2 to 3, of 4 to 7 clusters and so on."""
        order = self.state.valid.sum(1).log2().floor()
        for size in order.unique().tolist():
            yield self.rows((order == size).nonzero()[:, 0])


class ContractionRefiner(GraphRefiner):
    """A refiner whose training leaves out what does not split.

    Args:
        parts: As of `Refiner`.
        share: See `drawn`; None draws every scale.
        single: Share of single properties that are left out in training, beside the `dropout` of
            all, so that any subset of them can be asked for.
        options: As of `Refiner`.

    Raises:
        InputError: The share is below 1.
    """

    def __init__(
        self, *parts: Any, share: float | None = None, single: float = 0.0, **options: Any
    ) -> None:
        super().__init__(*parts, **options)
        if share is not None and share < 1:
            raise InputError(f"Found share {share}, expected 1 or more, or null for all scales.")
        self.share, self.single = share, single

    def forward(self, batch: GraphData, noise: Noise) -> dict[str, Tensor]:
        """Training losses of graphs `batch[0]` with properties `batch[1]` (b, p), if any.

        "loss" is in nats a cluster that splits, "bits" a graph's; unbiased for any `share`.
        """
        context = batch[1] if len(batch) > 1 else None
        if context is not None:
            left_out = noise.uniform(-3, context.shape[1]) < self.single
            context = torch.where(left_out, torch.nan, context)
            context = self.embed.drop(
                context, noise.uniform(Stream.CONTEXT_DROPOUT) < self.dropout
            )
        with torch.no_grad():
            trace = self.tokenizer.trace(self.tokenizer.features(batch[0], noise))
            parts = lessons(trace, noise.uniform(-5), self.share)
        nats = torch.zeros((), device=noise.index.device)
        for part in parts:
            given = None if context is None else context[part.graph]
            nats = nats - (self._log_prob(part, given) * part.weight).sum()
        splits = sum(int(state.split.sum()) for state in trace.states)
        bits = nats.detach() / len(batch[0]) / torch.log(torch.tensor(2.0))
        return {"loss": nats / splits, "bits": bits, "count": torch.tensor(splits)}

    def _log_prob(self, lesson: Lesson, context: Tensor | None) -> Tensor:
        """Log-probability (r,) of codes; without properties all share one condition."""
        state, count = lesson.state, len(lesson.graph)
        part = self.tokens(state, 0, context)
        given = self.embed.condition(context, 1 if context is None else count)
        hidden = self.transformer(join([part], given))
        return self.head(hidden, state, 0, part.valid).log_prob(lesson.code)


def lessons(trace: Trace[Partition], uniform: Tensor, share: float | None) -> list[Lesson]:
    """What is to be learnt of a trace, in parts that the transformer reads at once.

    Args:
        trace: Of b graphs.
        uniform: (b,) in [0, 1).
        share: See `drawn`.
    """
    states = trace.states[:-1]
    active = torch.stack([state.split.any(1) for state in states], 1)
    clusters = torch.stack([state.valid.sum(1) for state in states], 1)
    weight = drawn(active, clusters, uniform, share)
    place = torch.arange(len(weight), device=weight.device)
    every = [
        Lesson(state, code, place, weight[:, k]).rows(weight[:, k].nonzero()[:, 0])
        for k, (state, code) in enumerate(zip(states, trace.codes, strict=True))
    ]
    first, *later = (lesson for lesson in every if len(lesson.graph))
    return [first, *Lesson.joined(later).alike()] if later else [first]


def drawn(active: Tensor, clusters: Tensor, uniform: Tensor, share: float | None) -> Tensor:
    """(b, K) weights of scales, 0 for those left out, whose expectation is `active`.

    A scale of m clusters is drawn with probability share / sqrt(m), systematically, so that the
    number drawn of each graph varies by less than one.

    Args:
        active: (b, K) bool, where something splits.
        clusters: (b, K) int64.
        uniform: (b,) in [0, 1).
        share: None draws every scale.
    """
    if share is None:
        return active.float()
    chance = (share / clusters.sqrt()).clamp(max=1) * active
    after = (chance.double().cumsum(1) + uniform[:, None]).floor()
    before = torch.cat([torch.zeros_like(after[:, :1]), after[:, :-1]], 1)
    return torch.where(after > before, 1 / chance.clamp(min=1e-9), 0)
