"""Training of expansions on some of the scales, and their likelihood with the size of graphs."""

import math

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.generators.common.refiner import GraphData
from graphs.generators.common.streams import ExpansionStream
from graphs.generators.expansion.embed import CoarseEmbed
from graphs.generators.expansion.head import ExpansionHead
from graphs.generators.expansion.state import CoarseGraph
from graphs.generators.expansion.tokenizer import Contracted, ExpansionTokenizer
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.transformer import Transformer


class ExpansionRefiner(Refiner[GraphBatch, Contracted, CoarseGraph, Tensor]):
    """A refiner whose likelihood includes that of the size of a graph.

    Args:
        tokenizer: As of `Refiner`, like `embed`, `transformer` and `head`.
        embed: See `Refiner`.
        transformer: See `Refiner`.
        head: See `Refiner`.
        scale_thinning: The chance of training on a scale of m clusters is this / m; None trains
            on all. The loss is not weighted in turn: coarse scales are few, and each decides much.
    """

    calls_vary = True
    tokenizer: ExpansionTokenizer

    def __init__(
        self,
        tokenizer: ExpansionTokenizer,
        embed: CoarseEmbed,
        transformer: Transformer,
        head: ExpansionHead,
        *,
        scale_thinning: int | None = None,
    ) -> None:
        super().__init__(tokenizer, embed, transformer, head)
        self.scale_thinning = scale_thinning

    def forward(self, batch: GraphData, noise: Noise) -> dict[str, Tensor]:
        """Training losses of graphs `batch[0]`, as of `Refiner`, on some of the scales."""
        if self._nothing_splits(batch[0]):
            nothing = sum(((0 * p).sum() for p in self.parameters()), torch.zeros(()))
            return {"loss": nothing, "bits": nothing.detach(), "count": torch.tensor(1)}
        if self.scale_thinning is None:
            return super().forward(batch, noise)
        with torch.no_grad():
            trace = self.tokenizer.trace(self.tokenizer.features(batch[0], noise))
        width = torch.tensor([state.size.shape[1] for state in trace.states[:-1]])
        chance = (self.scale_thinning / width).clamp(max=1)
        uniform = Noise(noise.seed, torch.zeros(1, dtype=torch.int64)).uniform(
            ExpansionStream.SCALE_THINNING, len(chance)
        )[0]
        chosen = torch.nonzero(uniform < chance)[:, 0].tolist()
        nats, count, bits = torch.zeros(()), 0, torch.zeros(())
        dists = self.distributions([trace.states[k] for k in chosen])
        for k, dist in zip(chosen, dists, strict=True):
            tokens = -dist.token_log_prob(trace.codes[k]).sum()
            nats, count = nats + tokens, count + int(trace.states[k].split.sum())
            bits = bits + tokens.detach() / chance[k] / len(noise.index)
        return {"loss": nats / count, "bits": bits / math.log(2), "count": torch.tensor(count)}

    def code_log_prob(
        self, x: GraphBatch, context: Tensor | None = None, noise: Noise | None = None
    ) -> Tensor:
        """Log-probability (b, K), in nats, of each scale's codes, the first with the size."""
        size = self.tokenizer.sizes.log_prob(x.sizes)
        if self._nothing_splits(x):
            return size[:, None]
        each = super().code_log_prob(x, context, noise)
        return each + (size / each.shape[1])[:, None]

    def _nothing_splits(self, graphs: GraphBatch) -> bool:
        """Whether there is no scale, for all graphs have one node and edges are not counted."""
        return not self.tokenizer.counted and int(graphs.sizes.max()) < 2
