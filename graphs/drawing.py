"""Drawing batches of graphs, in any process: plain, round a scaffold, or the best of several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.generators.common.config import SamplingConfig
from graphs.generators.common.particles import accepted, resampled
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.common.streams import GraphStream
from graphs.generators.contraction.refiner import GraphMethod
from graphs.generators.scaffold.request import ScaffoldRequest
from graphs.scoring import Score, weights
from refine_core.noise import Noise
from refine_core.sampling.intermediates import AfterScale, through
from refine_core.sampling.settings import Sampling

Sampler = Callable[[Noise, Tensor | None], GraphBatch]
"""Samples graphs from their noise and wanted properties (b, p)."""


@dataclass(eq=False)
class BatchSampler:
    """Samples batches of graphs, in any process.

    Args:
        refiner: That of the model.
        statistics: Those of its graphs.
        methods: Methods of sampling, ready to be used.
        settings: How to sample.
        seed: Seed of the samples.
        scaffold: What every graph contains, see `graphs.generators.scaffold.sampler`.
        scores: What weights draws.
        particles: Draws of which one is kept, where there is a scaffold or a score.
        bound: Weight from which on a draw is always kept, if others are drawn until one is; then
            `particles` is their mean number.
        after_scale: Called after each network call with the graphs so far, on the CPU.
        turn: How many times the graphs have been drawn before.
    """

    refiner: GraphRefiner
    statistics: GraphStatistics
    methods: Sequence[GraphMethod]
    settings: SamplingConfig
    seed: int
    scaffold: str | GraphBatch | None
    scores: Sequence[Score]
    particles: float
    bound: float | None
    after_scale: AfterScale[GraphBatch] | None
    turn: int = 0

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_sampler"}

    @torch.no_grad()
    def __call__(self, given: tuple[Tensor, Tensor | None]) -> GraphBatch:
        """Graphs on the CPU, of their numbers (b,) and wanted properties (b, p)."""
        device = next(self.refiner.parameters()).device
        index, context = (None if x is None else x.to(device) for x in given)
        assert index is not None
        noise = Noise(self.seed, index)
        if self.turn:
            noise = noise.fork(GraphStream.AGAIN).fork(self.turn)
        return self._sampler(noise, context).to("cpu")

    @cached_property
    def _sampler(self) -> Sampler:
        settings, scaffold = self.settings, self.scaffold
        plain = Sampling(temperature=settings.temperature, guidance=settings.guidance)
        sampling = [plain] * len(self.refiner.tokenizer.schedule)
        if settings.first_temperature is not None:
            sampling[0] = replace(plain, temperature=settings.first_temperature)
        told: AfterScale[GraphBatch] | None = through(
            self.after_scale, lambda each: each.to("cpu")
        )

        def draw(noise: Noise, context: Tensor | None) -> GraphBatch:
            return self.refiner.sample(
                noise, context, sampling=sampling, methods=self.methods, after_scale=told
            )

        def weighed(noise: Noise, context: Tensor | None) -> tuple[GraphBatch, Tensor]:
            graphs = draw(noise, context)
            return graphs, self._weigh(graphs)

        if scaffold is not None:
            request = ScaffoldRequest.of(scaffold, self.refiner, self.statistics)
            return lambda noise, context: request.sample(
                noise, context, sampling, int(self.particles), self.methods, self._weigh
            )
        if self.bound is not None:
            limit = self.bound
            return lambda noise, context: accepted(weighed, noise, context, limit, self.particles)
        if self.scores and self.particles > 1:
            return lambda noise, context: resampled(weighed, noise, context, int(self.particles))
        return draw

    def _weigh(self, graphs: GraphBatch) -> Tensor:
        device = graphs.sizes.device
        if not self.scores:
            return torch.zeros(len(graphs), device=device)
        exact = torch.float32 if device.type == "mps" else torch.float64
        return weights(self.scores, graphs.to("cpu"), self.statistics.vocabulary).to(device, exact)
