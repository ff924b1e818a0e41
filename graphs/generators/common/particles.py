"""Several draws for each sample, of which one is kept by weight.

As draws grow in number, samples follow the law of the draws times the weights: by sampling
importance resampling (Rubin, 1987) of particles, as many for each sample; or by rejection (von
Neumann, 1951), where one knows which weights to expect, so that what is good is kept at once.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.generators.common.streams import ScaffoldStream
from refine_core.noise import Noise, derive

MOST = 8
"""Times as many draws as on average before the best of a sample's are kept."""
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


def accepted(
    draw: Draw, noise: Noise, context: Tensor | None, bound: float, draws: float
) -> GraphBatch:
    """One graph for each sample, drawn until one is kept, with the chance min(1, weight / bound).

    A sample of which none is kept in `MOST` times `draws` gets one of them by resampling.

    Args:
        draw: Draws graphs.
        noise: Names the b samples.
        context: (b, p) properties, or None.
        bound: Logarithm of the weight from which on a draw is always kept.
        draws: Of each sample, expected on average.
    """
    most = math.ceil(MOST * draws)
    left = torch.arange(len(noise.index), device=noise.index.device)
    chosen, parts, seen = torch.zeros_like(left), list[GraphBatch](), 0
    total: Tensor | None = None
    for turn in range(most):
        names = Noise(derive(noise.seed, 1), noise.index[left] * most + turn)
        graphs, weight = draw(names, None if context is None else context[left])
        weight = weight.clamp(min=-REFUSED / 2)  # what is refused depends on no other graph
        if total is None:
            total = torch.full(left.shape, -math.inf, dtype=weight.dtype, device=left.device)
        total[left] = total[left].logaddexp(weight)
        level = names.uniform(ScaffoldStream.PARTICLE, 2).to(weight).log()
        kept = level[:, 0] < weight - bound
        taken = kept | (level[:, 1] < weight - total[left])
        chosen[left[taken]] = seen + taken.nonzero()[:, 0]
        parts.append(graphs)
        seen, left = seen + len(graphs), left[~kept]
        if not len(left):
            break
    return GraphBatch.joined(parts)[chosen]
