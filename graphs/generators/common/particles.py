"""Several draws for each sample, of which one is kept by weight (sampling importance resampling).

As particles grow in number, samples follow the law of the draws times the weights (Rubin, 1987).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.generators.common.streams import ScaffoldStream
from refine_core.noise import Noise, derive

REFUSED = 1e4
"""Nats: a refused particle is kept only if all of its sample are."""
Weigh = Callable[[GraphBatch], Tensor]
"""Logarithms (b,) of the weights of graphs, in nats."""
Draw = Callable[[Noise, Tensor | None], tuple[GraphBatch, Tensor]]
"""Graphs and the logarithms (b,) of their weights, from their noise and properties (b, p)."""


def resampled(draw: Draw, noise: Noise, context: Tensor | None, particles: int) -> GraphBatch:
    """One graph for each sample.

    Args:
        draw: Draws particles.
        noise: Names the b samples.
        context: (b, p) properties, or None.
        particles: Draws of each sample.
    """
    count = len(noise.index)
    each = torch.arange(particles, device=noise.index.device)
    names = Noise(derive(noise.seed, 1), (noise.index[:, None] * particles + each).flatten())
    if context is not None:
        context = context.repeat_interleave(particles, 0)
    graphs, weight = draw(names, context)
    share = weight.view(count, particles).softmax(1).cumsum(1)
    chosen = (share < noise.uniform(ScaffoldStream.PARTICLE, 1)).sum(1).clamp(max=particles - 1)
    return graphs[torch.arange(count, device=chosen.device) * particles + chosen]
