# mypy: ignore-errors
"""Restarts: taking back the last scales of a graph and drawing them again.

A contraction runs through n nodes in at most n calls. More calls can repair what draws in parallel
got wrong: the graph is contracted anew, along other edges, as far as its first scales, and split
from there again (as Restart sampling does for diffusion, Xu et al., arXiv 2306.14878). Where the
model is exact this leaves its law as it is, for then codes given the graph have the law of the
contraction; no graph is judged or thrown away.
"""

from typing import Any, cast

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from refine_core.noise import Noise
from refine_core.quantizers.base import Quantized
from refine_core.sampling import Caller
from refine_core.schedule import ScaleSchedule


@torch.no_grad()
def restart(
    refiner: GraphRefiner,
    graphs: GraphBatch,
    noise: Noise,
    context: Tensor | None = None,
    *,
    schedule: ScaleSchedule,
    keep: int,
) -> GraphBatch:
    """Draw graphs again from their first scales.

    Args:
        refiner: Of contractions.
        graphs: b graphs.
        noise: Names them.
        context: (b, p) properties, as in `Refiner.sample`.
        schedule: Temperature and guidance.
        keep: Scales of each graph's new contraction that are kept, one or more; graphs that have
            no more stay as they are.
    """
    tokens = cast(ContractionTokenizer, refiner.tokenizer)
    walk = tokens.features(graphs, noise)
    guided = context is not None and any(scale.guidance for scale in schedule)
    contexts = [context, None] if guided else [context]
    call = Caller(
        refiner.embed, refiner.transformer, refiner.head, contexts, len(graphs), cached=True
    )

    def choose(state: Any, k: int) -> Quantized:
        if k < min(keep, len(walk.codes)):
            return tokens.lookup(walk.codes[k], k)
        scale = schedule[0]
        dist = call(state, k, scale.guidance)
        code = dist.sharpened(scale.temperature, scale.top_k, scale.top_p).sample(noise.fork(k))
        return tokens.lookup(code, k)

    start = tokens.start(len(graphs), noise)
    graph: GraphBatch = tokens.finish(tokens.unroll(start, choose).states[-1])
    return graph
