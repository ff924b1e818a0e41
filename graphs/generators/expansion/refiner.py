"""Training of expansions on some of the scales, and their likelihood with the size of graphs."""

import math
from typing import Any

import torch
from torch import Tensor

from graphs.generators.common.refiner import GraphData, GraphRefiner
from graphs.generators.expansion.tokenizer import ExpansionTokenizer
from refine_core.noise import Noise


class ExpansionRefiner(GraphRefiner):
    """A refiner whose likelihood includes that of the size of a graph.

    Args:
        parts: As of `Refiner`.
        scale_subsampling: The chance of training on a scale of m clusters is this / m; None trains
            on all. Coarse scales are few and cheap, and each decides much.
    """

    def __init__(self, *parts: Any, scale_subsampling: int | None = None) -> None:
        super().__init__(*parts)
        self.scale_subsampling = scale_subsampling

    def forward(self, batch: GraphData, noise: Noise) -> dict[str, Tensor]:
        """Training losses of graphs `batch[0]`, as of `Refiner`, on some of the scales."""
        if self.scale_subsampling is None:
            return super().forward(batch, noise)
        with torch.no_grad():
            trace = self.tokenizer.trace(self.tokenizer.features(batch[0], noise))
        width = torch.tensor([state.size.shape[1] for state in trace.states[:-1]])
        chance = (self.scale_subsampling / width).clamp(max=1)
        uniform = Noise(noise.seed, torch.zeros(1, dtype=torch.int64)).uniform(-6, len(chance))[0]
        chosen = torch.nonzero(uniform < chance)[:, 0].tolist()
        nats, count, bits = torch.zeros(()), 0, torch.zeros(())
        dists = self.distributions([trace.states[k] for k in chosen])
        for k, dist in zip(chosen, dists, strict=True):
            tokens = -dist.token_log_prob(trace.codes[k]).sum()
            nats, count = nats + tokens, count + int(trace.states[k].split.sum())
            bits = bits + tokens.detach() / chance[k] / len(noise.index)
        return {"loss": nats / count, "bits": bits / math.log(2), "count": torch.tensor(count)}

    def code_log_prob(self, x: Any, context: Any = None, noise: Noise | None = None) -> Tensor:
        """Log-probability (b, K), in nats, of each scale's codes, the first with the size."""
        tokens: ExpansionTokenizer = self.tokenizer  # type: ignore[assignment]
        each = super().code_log_prob(x, context, noise)
        size = tokens.sizes.log_prob(x.sizes)
        return each + (size / each.shape[1])[:, None]
