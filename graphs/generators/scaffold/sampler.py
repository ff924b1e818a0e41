"""Graphs that contain a given part: the sampler of `refine_core.refiner`, made to keep a scaffold.

Which nodes of the scaffold a cluster holds is tracked from the root, which holds them all, down to
single nodes. Of every sample the scaffold comes apart along a random contraction of its own
(`graphs.generators.scaffold.decomposition.Plan`), as in training. A cluster that holds a node t of
that tree splits in one
of four ways: t goes to the first child, or to the second; or t's children part, this way or that.
Each way is a `graphs.generators.contraction.split.bounds.Demand` on the numbers of the split, and
forces where edges of the
scaffold go, so by induction no split can lose a node or an edge of it.

For every split `candidates` are drawn, of each possible way as many, weighted by how likely a free
draw is to meet the demand (`graphs.generators.contraction.split.sampling`), or by zero where the
support is left; one is chosen by
weight. So a split follows the model's law, given that it keeps the scaffold (sampling importance
resampling: exact as their count grows). What later splits lose is only known later: the product of
mean weights, `Extension.evidence`, says how well a whole sample agrees with the model, and
`extend` chooses one of several `particles` by it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.contraction.split.distribution import SplitDistribution
from graphs.generators.contraction.split.sampling import draw
from graphs.generators.contraction.state import Partition
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from graphs.generators.scaffold.decomposition import Plan
from graphs.generators.scaffold.scaffold import Scaffold
from graphs.generators.scaffold.tracker import Grip
from refine_core.noise import Noise, derive
from refine_core.quantizers.base import Quantized
from refine_core.sampling import Sampling

CANDIDATES = 24  # divisible by 1, 2, 3 and 4 ways to split
PARTICLES = 8
_REFUSED = 1e4  # nats
_OUTSIDE = 50.0  # nats that leaving the support costs: chosen only if all candidates do


def extend(
    refiner: GraphRefiner,
    scaffold: Scaffold,
    noise: Noise,
    context: Tensor | None = None,
    *,
    sampling: Sampling,
    particles: int = PARTICLES,
    candidates: int = CANDIDATES,
    accept: Callable[[GraphBatch], Tensor] | None = None,
) -> GraphBatch:
    """Draw graphs that contain a scaffold.

    Args:
        refiner: Of graphs.
        scaffold: What to keep; it may get further edges, also between its own nodes.
        noise: Names b samples.
        context: (b, p) properties, see `graphs.datasets.properties.Properties.request`.
        sampling: Temperature and guidance of every scale.
        particles: Whole draws per sample, of which one is chosen by its evidence.
        candidates: Draws of each split.
        accept: Says of graphs whether they are wanted, (b,) bool; others are chosen only where all
            particles of a sample are such.
    """
    count = len(noise.index)
    each = torch.arange(particles, device=noise.index.device)
    names = Noise(derive(noise.seed, 1), (noise.index[:, None] * particles + each).flatten())
    if context is not None:
        context = context.repeat_interleave(particles, 0)
    one = Extension(refiner, scaffold, names, context, sampling, candidates)
    graphs = one.run()
    if accept is not None:
        one.evidence = one.evidence - _REFUSED * ~accept(graphs)
    weight = one.evidence.view(count, particles).softmax(1).cumsum(1)
    chosen = (weight < noise.uniform(-6, 1)).sum(1).clamp(max=particles - 1)
    return graphs[torch.arange(count, device=chosen.device) * particles + chosen]


class Extension:
    """One pass through the scales.

    Args:
        refiner: Of graphs.
        scaffold: What to keep.
        noise: Names b samples.
        context: (b, p) or None.
        sampling: Temperature and guidance of every scale.
        candidates: Draws of each split.

    Attributes:
        evidence: (b,) log of the estimated share of the model's law that keeps the scaffold.
        grip: What each cluster holds of the scaffold.
    """

    def __init__(
        self,
        refiner: GraphRefiner,
        scaffold: Scaffold,
        noise: Noise,
        context: Tensor | None,
        sampling: Sampling,
        candidates: int,
    ) -> None:
        self.tokens = cast(ContractionTokenizer, refiner.tokenizer)
        self.noise, self.sampling, self.candidates = noise, sampling, candidates
        self.support = cast(Any, refiner.head).support
        count = len(noise.index)
        guided = context is not None and sampling.guidance != 0
        self.call = refiner.caller(context, count, guided=guided)
        plan = Plan.draw(scaffold, noise, self.tokens.labels, self.tokens.kinds)
        self.grip = Grip(scaffold, plan)
        self.evidence = torch.zeros(count, device=noise.index.device)

    def run(self) -> GraphBatch:
        """Draw b graphs."""
        start = self.tokens.start(len(self.noise.index), self.noise)
        trace = self.tokens.unroll(start, self.choose)
        return self.tokens.finish(self.grip.cleared(trace.states[-1]))

    def choose(self, state: Partition, k: int) -> Quantized:
        """Codes of scale k that keep the scaffold."""
        self.grip.claim(state)
        how = self.sampling
        dist = cast(SplitDistribution, self.call(state, k, how.guidance))
        dist = dist.sharpened(how.temperature, how.top_k, how.top_p)
        noise = self.noise.fork(k)
        wide = _repeated(dist, noise, self.candidates)
        first, second, ways = self.grip.ways(state, self.candidates)
        forced = self.grip.forced(wide.state, second)
        demand = self.grip.demand(wide.state, first, second, forced)
        code, share = draw(wide, wide.state.noise, demand, forced)
        if self.support is not None:
            share = share - _OUTSIDE * self.support.violated(wide.state, code)
        share = share.unflatten(0, (-1, self.candidates))
        split = state.split
        gain = share.logsumexp(1) - torch.tensor(self.candidates).log() + ways.log()
        self.evidence = self.evidence + torch.where(split, gain, 0).sum(1)
        uniform = noise.uniform(2, split.shape[1])
        chosen = (share.softmax(1).cumsum(1) < uniform[:, None]).sum(1)
        chosen = chosen.clamp(max=self.candidates - 1)
        self.grip.follow(state, _picked(first, chosen), _picked(second, chosen))
        return self.tokens.lookup(_code(state, code, chosen), k)


def _repeated(dist: SplitDistribution, noise: Noise, times: int) -> SplitDistribution:
    """Every sample `times` times, under names of their own."""
    turn = torch.arange(times, device=noise.index.device)
    names = Noise(noise.seed, (noise.index[:, None] * times + turn).flatten())
    fields: dict[str, Any] = {
        name: x.repeat_interleave(times, 0)
        for name, x in vars(dist.state).items()
        if isinstance(x, Tensor)
    }
    state = replace(dist.state, noise=names, **fields)
    hidden = tuple((w, h.repeat_interleave(times, 0)) for w, h in dist.hidden)
    return replace(dist, state=state, hidden=hidden)


def _picked(table: Tensor, chosen: Tensor) -> Tensor:
    """(b, m) of (b, candidates, m)."""
    return table.gather(1, chosen[:, None])[:, 0]


def _code(state: Partition, code: Tensor, chosen: Tensor) -> Tensor:
    """Codes (b, m + e, g), of each cluster and the ends at it those of its candidate (b, m)."""
    m, count = chosen.shape[1], len(chosen)
    each = code.unflatten(0, (count, -1))
    row = torch.arange(count, device=code.device)[:, None]
    result = torch.zeros_like(each[:, 0])
    result[:, :m] = each[row, chosen, torch.arange(m, device=code.device)]
    place = torch.arange(m, code.shape[1], device=code.device)
    for side in (0, 1):
        at = chosen.gather(1, state.ends[:, :, side])
        result[:, m:, side] = each[row, at, place, side]
    return result
