"""Training and sampling of contractions: of each scale, the graphs that come further apart at it.

A graph that has come apart has nothing to split at later scales, which therefore leave it out, in
training as in sampling. Training takes the splits of many scales at once. Of
the other scales only some may be used, so that a step can hold more graphs: the later a scale, the
more clusters it reads and the fewer of them it splits. States of similar size go through the
transformer together, whatever their scale.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from graphs.data.batch import GraphBatch
from graphs.generators.common.coarsening import reachable
from graphs.generators.common.refiner import GraphData
from graphs.generators.common.steady import rounded, varies
from graphs.generators.common.streams import ContractionStream
from graphs.generators.contraction.embed import GraphEmbed
from graphs.generators.contraction.encoding import EncodedGraphs
from graphs.generators.contraction.head import ContractionHead
from graphs.generators.contraction.state.partition import Partition
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from refine_core.heads.distribution import Distribution
from refine_core.methods.base import Method, TrainingPass
from refine_core.noise import Noise, Stream, double
from refine_core.quantizers.base import Quantized
from refine_core.refiner import Refiner
from refine_core.sampling.caller import Chooser
from refine_core.tokenizer import Trace
from refine_core.tokens import join
from refine_core.transformer import Transformer

GraphMethod = Method[GraphBatch, EncodedGraphs, Partition, Tensor]
"""A method of training or sampling contractions."""
PAIRS = 2**24
"""Pairs of tokens of which a training step keeps at once what its backward pass needs."""


@dataclass(frozen=True)
class SplitExamples:
    """States and the codes that split them; all before the first scale, or all after it.

    Args:
        state: r states.
        code: (r, m + e, g) of what splits next.
        graph: (r,) int64, place of each one's graph in the batch.
        weight: (r,) of its loss.
    """

    state: Partition
    code: Tensor
    graph: Tensor
    weight: Tensor

    @property
    def pairs(self) -> int:
        """Count of pairs of tokens, if all edges are tokens; padding counts."""
        return len(self.graph) * (self.state.valid.shape[1] + self.state.real.shape[1]) ** 2

    def rows(self, index: Tensor) -> "SplitExamples":
        """Those at `index`, without padding that none of them needs."""
        state, code = self.state.rows(index), self.code[index]
        places = zip(code.split(self.state.widths, 1), state.widths, strict=True)
        code = torch.cat([part[:, :width] for part, width in places], 1)
        return SplitExamples(state, code, self.graph[index], self.weight[index])

    @classmethod
    def joined(cls, parts: list["SplitExamples"]) -> "SplitExamples":
        """One of several, padded to the largest."""
        state = Partition.stacked([part.state for part in parts])
        code = torch.cat([part.state.widened(part.code, state) for part in parts])
        graph, weight = (torch.cat([getattr(p, x) for p in parts]) for x in ("graph", "weight"))
        return cls(state, code, graph, weight)

    def by_size(self) -> Iterator["SplitExamples"]:
        """In parts of similar size: of 1, of 2 to 3, of 4 to 7 clusters and so on.

        A part that has more than one example has `PAIRS` pairs of tokens at most.
        """
        order = self.state.valid.sum(1).log2().floor()
        for size in order.unique().tolist():
            alike = self.rows((order == size).nonzero()[:, 0])
            count = max(1, PAIRS * len(alike.graph) // max(1, alike.pairs))
            for some in torch.arange(len(alike.graph), device=order.device).split(count):
                yield alike.rows(some).rounded()

    def rounded(self) -> "SplitExamples":
        """With some of them again, of no weight, where counts of rows are to be few."""
        count = len(self.graph)
        if not varies(self.weight.device):
            return self
        index = torch.arange(rounded(count), device=self.graph.device) % count
        more = self.rows(index)
        return replace(
            more, weight=more.weight * (torch.arange(len(index), device=index.device) < count)
        )


class ContractionRefiner(Refiner[GraphBatch, EncodedGraphs, Partition, Tensor]):
    """A refiner whose training leaves out what does not split.

    Args:
        tokenizer: As of `Refiner`, like `embed`, `transformer`, `head` and `dropout`.
        embed: See `Refiner`.
        transformer: See `Refiner`.
        head: See `Refiner`.
        scale_subsampling: See `scale_weights`.
        single_dropout: Share of single properties that are left out in training, beside the
            `dropout` of all, so that any subset of them can be asked for.
        dropout: See `Refiner`.
        methods: See `Refiner`.
    """

    calls_vary = True
    tokenizer: ContractionTokenizer
    head: ContractionHead

    def __init__(
        self,
        tokenizer: ContractionTokenizer,
        embed: GraphEmbed,
        transformer: Transformer,
        head: ContractionHead,
        *,
        scale_subsampling: float | None = None,
        single_dropout: float = 0.0,
        dropout: float = 0.0,
        methods: Sequence[GraphMethod] = (),
    ) -> None:
        super().__init__(tokenizer, embed, transformer, head, dropout=dropout, methods=methods)
        self.scale_subsampling, self.single_dropout = scale_subsampling, single_dropout

    def forward(self, batch: GraphData, noise: Noise) -> dict[str, Tensor]:
        """Training losses of graphs `batch[0]` with properties `batch[1]` (b, p), if any.

        "loss" is in nats a cluster that splits, of which there are "count"; "bits" are a graph's.
        Both are unbiased under subsampling.
        """
        context = batch[1] if len(batch) > 1 else None
        if context is not None:
            left_out = (
                noise.uniform(ContractionStream.PROPERTY_DROPOUT, context.shape[1])
                < self.single_dropout
            )
            context = torch.where(left_out, torch.nan, context)
            dropped = noise.uniform(Stream.CONTEXT_DROPOUT) < self.dropout
            context = self.embed.drop(context, dropped)
        with torch.no_grad():
            features = self.tokenizer.features(batch[0], noise)
            trace = self._encode(noise)(features, None)
        return self.losses(TrainingPass(features, context, noise, trace, ()))

    def code_log_prob(
        self, x: GraphBatch, context: Tensor | None = None, noise: Noise | None = None
    ) -> Tensor:
        """Log-probability of each scale; minus infinity of graphs with cycles, of acyclic ones."""
        each = super().code_log_prob(x, context, noise)
        if self.tokenizer.outward is None:
            return each
        arcs = F.pad(self.tokenizer.outward, (1, 0))[x.edges]
        cyclic = reachable(arcs).diagonal(dim1=1, dim2=2).any(1)
        return each.masked_fill(cyclic[:, None], -torch.inf)

    def _unroll(
        self, state: Partition, choose: Chooser[EncodedGraphs, Partition], scales: int | None
    ) -> Trace[Partition]:
        """All scales, of which each reads only the graphs that its code changes."""

        def choose_active(state: Partition, k: int) -> Quantized:
            active = state.split.any(1) | state.attaching
            if bool(active.all()):
                return choose(state, k)
            index = active.nonzero()[:, 0]
            part = state.rows(index)
            some = part.widened(choose.rows(index)(part, k).code, state)
            code = some.new_zeros(len(state), *some.shape[1:])
            return Quantized.known(code.index_copy_(0, index, some))

        return self.tokenizer.unroll(state, choose_active, scales=scales, after=choose.after)

    def losses(self, done: TrainingPass[EncodedGraphs, Partition, Tensor]) -> dict[str, Tensor]:
        """Losses of a pass, see `forward`; its distributions are not used."""
        nats = torch.zeros((), device=done.noise.index.device)
        examples, log_prob = self._examples(done), self._log_prob
        if sum(part.pairs for part in examples) > PAIRS:
            # What backward needs of large graphs is computed again, part by part.
            log_prob = partial(checkpoint, self._log_prob, use_reentrant=False)
        for part in examples:
            given = None if done.context is None else done.context[part.graph]
            nats = nats - (log_prob(part, given) * part.weight).sum()
        splits = sum(int(state.split.sum()) for state in done.trace.states)
        bits = nats.detach() / len(done.noise) / torch.log(torch.tensor(2.0))
        further = self.further_losses(done)
        loss = sum(further.values(), nats / splits)
        return {"loss": loss, "bits": bits, **further, "count": torch.tensor(splits)}

    def losses_on(self, done: TrainingPass[EncodedGraphs, Partition, Tensor]) -> dict[str, Tensor]:
        """Losses on a pass of another refiner."""
        return self.losses(done)

    def _examples(
        self, done: TrainingPass[EncodedGraphs, Partition, Tensor]
    ) -> list[SplitExamples]:
        """What the pass trains on."""
        uniform = done.noise.uniform(ContractionStream.SCALE_SUBSAMPLING)
        return split_examples(done.trace, uniform, self.scale_subsampling)

    def _log_prob(self, examples: SplitExamples, context: Tensor | None) -> Tensor:
        """Log-probability (r,) of codes; without properties all share one condition."""
        state, count = examples.state, len(examples.graph)
        part = self.tokens(state, 0, context)
        condition = self.embed.condition(context, 1 if context is None else count)
        hidden = self.transformer(join([part], condition))
        dist: Distribution = self.head(hidden, state, 0, part.valid)
        return dist.log_prob(examples.code)


def split_examples(
    trace: Trace[Partition], uniform: Tensor, scale_subsampling: float | None
) -> list[SplitExamples]:
    """The training examples of a trace, in parts that the transformer reads at once.

    Args:
        trace: Trace of b graphs.
        uniform: (b,) in [0, 1).
        scale_subsampling: See `scale_weights`.
    """
    states = trace.states[:-1]
    active = torch.stack([state.split.any(1) | state.attaching for state in states], 1)
    clusters = torch.stack([state.valid.sum(1) for state in states], 1)
    weight = scale_weights(active, clusters, uniform, scale_subsampling)
    graph = torch.arange(len(weight), device=weight.device)
    every = [
        SplitExamples(state, code, graph, weight[:, k]).rows(weight[:, k].nonzero()[:, 0])
        for k, (state, code) in enumerate(zip(states, trace.codes, strict=True))
    ]
    first, *later = (examples for examples in every if len(examples.graph))
    result = [first]
    for attaching in (False, True):
        alike = [each for each in later if each.state.attaching == attaching]
        result += SplitExamples.joined(alike).by_size() if alike else []
    return result


def scale_weights(
    active: Tensor, clusters: Tensor, uniform: Tensor, scale_subsampling: float | None
) -> Tensor:
    """(b, K) weights of scales, 0 for those left out, whose expectation is `active`.

    A scale of m clusters is chosen with probability scale_subsampling / sqrt(m), by systematic
    sampling, so that the number chosen of each graph varies by less than one.

    Args:
        active: (b, K) bool, where something splits.
        clusters: (b, K) int64.
        uniform: (b,) in [0, 1).
        scale_subsampling: None chooses every scale.
    """
    if scale_subsampling is None:
        return active.float()
    chance = (scale_subsampling / clusters.sqrt()).clamp(max=1) * active
    after = (double(chance).cumsum(1) + uniform[:, None]).floor()
    before = torch.cat([torch.zeros_like(after[:, :1]), after[:, :-1]], 1)
    return torch.where(after > before, 1 / chance.clamp(min=1e-9), 0)
