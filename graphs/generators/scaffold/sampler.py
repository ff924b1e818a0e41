"""Graphs that contain a given scaffold: the sampler of `refine_core.refiner` under a constraint.

The nodes of the scaffold that each cluster holds are tracked from the root, which holds them all,
down to single nodes. In every sample the scaffold comes apart along a random contraction of its
own (`decomposition.Decomposition`), as graphs do in training. A cluster that holds a node t of
that tree splits in one of four ways: t goes to the first child, or to the second, or the two
children of t go one to each, in either order. Each of these assignments is a lower bound on the
numbers of the split (`contraction.split.bounds.Demand`), and decides where edges of the scaffold
go, so by induction no split can lose a node or an edge of it.

For every split `candidates` are drawn, equally many with each possible assignment, weighted by the
probability that a free draw meets the demand (`contraction.split.sampling`), and almost to zero
where valence limits are exceeded; one is chosen by weight. So a split follows the model's law
given that it keeps the scaffold (sampling importance resampling: exact as the count of candidates
grows). The choice of a split cannot take later splits into account. Therefore `extend` draws
several whole samples, called particles, and chooses one of them by the product of its mean
weights, `Extension.evidence`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.generators.common.particles import Weigh, resampled
from graphs.generators.common.streams import SplitStream
from graphs.generators.contraction.attachment.head import AttachmentDistribution
from graphs.generators.contraction.counts.head import CountDistribution
from graphs.generators.contraction.counts.sampling import sample as sample_counts
from graphs.generators.contraction.refiner import ContractionRefiner, GraphMethod
from graphs.generators.contraction.split.distribution import SplitDistribution
from graphs.generators.contraction.split.sampling import sample as sample_splits
from graphs.generators.contraction.state.partition import Partition
from graphs.generators.contraction.state.valence import violated
from graphs.generators.scaffold.decomposition import Decomposition
from graphs.generators.scaffold.scaffold import Scaffold
from graphs.generators.scaffold.tracker import ScaffoldTracker
from refine_core.noise import Noise
from refine_core.quantizers.base import Quantized
from refine_core.sampling.settings import Sampling
from refine_core.schedule import per_scale

CANDIDATES = 24  # divisible by 1, 2, 3 and 4 possible assignments
PARTICLES = 8
_EXCEEDING = 50.0  # nats: a split that exceeds valence limits is chosen only if all candidates do


def extend(
    refiner: ContractionRefiner,
    scaffold: Scaffold,
    noise: Noise,
    context: Tensor | None = None,
    *,
    sampling: Sequence[Sampling],
    methods: Sequence[GraphMethod] = (),
    particles: int = PARTICLES,
    candidates: int = CANDIDATES,
    weigh: Weigh | None = None,
) -> GraphBatch:
    """Draw graphs that contain a scaffold.

    Args:
        refiner: Refiner of contractions.
        scaffold: What graphs shall contain; it may get further edges, also between its own nodes.
        noise: Names b samples.
        context: (b, p) properties, see `graphs.datasets.properties.Properties.request`.
        sampling: Temperature and guidance, one for all scales or one for each.
        methods: Methods of sampling; those that change the loop over the scales do nothing here.
        particles: Whole draws per sample, of which one is chosen by its evidence.
        candidates: Draws of each split.
        weigh: Weights of graphs beside their evidence.
    """

    def draw(names: Noise, context: Tensor | None) -> tuple[GraphBatch, Tensor]:
        extension = Extension(refiner, scaffold, names, context, sampling, candidates, methods)
        graphs = extension.run()
        further = 0.0 if weigh is None else weigh(graphs)
        return graphs, extension.evidence + further

    return resampled(draw, noise, context, particles)


class Extension:
    """One pass through the scales.

    Args:
        refiner: Refiner of contractions.
        scaffold: What graphs shall contain.
        noise: Names b samples.
        context: (b, p) or None.
        sampling: Temperature and guidance, one for all scales or one for each.
        candidates: Draws of each split.
        methods: Methods of sampling.

    Attributes:
        evidence: (b,) logarithm of the estimated probability that a sample keeps the scaffold.
        tracker: What each cluster holds of the scaffold.
    """

    def __init__(
        self,
        refiner: ContractionRefiner,
        scaffold: Scaffold,
        noise: Noise,
        context: Tensor | None,
        sampling: Sequence[Sampling],
        candidates: int,
        methods: Sequence[GraphMethod] = (),
    ) -> None:
        self.tokens = refiner.tokenizer
        self.noise, self.candidates = noise, candidates
        self.sampling = per_scale("sampling", sampling, len(self.tokens.schedule))
        self.valence_limits = refiner.head.valence_limits
        count = len(noise.index)
        guided = context is not None and any(each.guidance for each in sampling)
        self.call = refiner.caller(context, count, guided=guided, methods=methods)
        tree = Decomposition.sample(scaffold, noise, self.tokens.labels, self.tokens.kinds)
        known = self.valence_limits, self.tokens.connected
        self.tracker = ScaffoldTracker(scaffold, tree, *known)
        self.evidence = torch.zeros(count, device=noise.index.device)

    def run(self) -> GraphBatch:
        """Draw b graphs."""
        start = self.tokens.start(len(self.noise.index), self.noise)
        trace = self.tokens.unroll(start, self.choose)
        return self.tokens.finish(self.tracker.without_parallel_edges(trace.states[-1]))

    def choose(self, state: Partition, k: int) -> Quantized:
        """Codes of scale k that keep the scaffold."""
        self.tracker.locate_edges(state)
        how = self.sampling[k]
        dist = self.call(state, k, how.guidance)
        dist = dist.sharpened(how.temperature, how.top_k, how.top_p)
        if isinstance(dist, AttachmentDistribution):
            forced, open_ = self.tracker.forced_sites(state), self.tracker.open_sites(state)
            return self.tokens.lookup(dist.meeting(forced, open_), k)
        assert isinstance(dist, SplitDistribution | CountDistribution)
        noise = self.noise.fork(k)
        turn = torch.arange(self.candidates, device=noise.index.device)
        names = Noise(noise.seed, (noise.index[:, None] * self.candidates + turn).flatten())
        wide = dist.repeated(state.repeated(self.candidates, names), self.candidates)
        first, second, assignments = self.tracker.assignments(state, self.candidates)
        forced = self.tracker.forced(wide.state, second)
        demand = self.tracker.demand(wide.state, first, second, forced)
        if isinstance(wide, CountDistribution):
            code, share = sample_counts(wide, wide.state.noise, demand)
        else:
            code, share = sample_splits(wide, wide.state.noise, demand, forced)
        if self.valence_limits is not None:
            closed = self.tracker.closed(wide.state, first, second)
            exceeding = violated(self.valence_limits, wide.state, code, closed)
            share = share - _EXCEEDING * exceeding
        share = share.unflatten(0, (-1, self.candidates))
        split = state.split
        gain = share.logsumexp(1) - torch.tensor(self.candidates).log() + assignments.log()
        self.evidence = self.evidence + torch.where(split, gain, 0).sum(1)
        uniform = noise.uniform(SplitStream.CANDIDATE, split.shape[1])
        chosen = (share.softmax(1).cumsum(1) < uniform[:, None]).sum(1)
        chosen = chosen.clamp(max=self.candidates - 1)
        self.tracker.update(state, _picked(first, chosen), _picked(second, chosen))
        return self.tokens.lookup(_code(state, code, chosen), k)


def _picked(table: Tensor, chosen: Tensor) -> Tensor:
    """(b, m) of (b, candidates, m)."""
    return table.gather(1, chosen[:, None])[:, 0]


def _code(state: Partition, code: Tensor, chosen: Tensor) -> Tensor:
    """Codes (b, m + e, g): those of the candidate (b, m) chosen for each cluster."""
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
