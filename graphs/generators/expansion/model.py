"""Expansion as a refiner."""

import math
from typing import Any

import torch
from torch import Tensor

from graphs.config import ModelConfig
from graphs.data.batch import Vocabulary
from graphs.generators.common.layers import set_transformer
from graphs.generators.common.refiner import GraphData, GraphRefiner
from graphs.generators.expansion.count_head import CountHead
from graphs.generators.expansion.embed import CoarseEmbed
from graphs.generators.expansion.head import DealHead
from graphs.generators.expansion.tokenizer import ExpansionTokenizer
from refine_core.noise import Noise


class ExpansionRefiner(GraphRefiner):
    """A refiner whose first scale also tells the size of a graph.

    Args:
        parts: As of `Refiner`.
        every: Training learns from a scale with m clusters with a probability of `every` / m; None
            learns from all. What is decided at coarse scales is decided once a graph, and costs
            little to learn.
    """

    def __init__(self, *parts: Any, every: int | None = None) -> None:
        super().__init__(*parts)
        self.every = every

    def forward(self, batch: GraphData, noise: Noise) -> dict[str, Tensor]:
        """Training losses of graphs `batch[0]`: as of `Refiner`, of some of the scales."""
        if self.every is None:
            return super().forward(batch, noise)
        with torch.no_grad():
            trace = self.tokenizer.trace(self.tokenizer.features(batch[0], noise))
        width = torch.tensor([state.size.shape[1] for state in trace.states[:-1]])
        share = (self.every / width).clamp(max=1)
        lot = Noise(noise.seed, torch.zeros(1, dtype=torch.int64)).uniform(-6, len(share))[0]
        kept = torch.nonzero(lot < share)[:, 0].tolist()
        nats, count, bits = torch.zeros(()), 0, torch.zeros(())
        for k, dist in zip(kept, self.distributions([trace.states[k] for k in kept]), strict=True):
            tokens = -dist.token_log_prob(trace.codes[k]).sum()
            nats, count = nats + tokens, count + int(trace.states[k].split.sum())
            bits = bits + tokens.detach() / share[k] / len(noise.index)
        return {"loss": nats / count, "bits": bits / math.log(2), "count": torch.tensor(count)}

    def code_log_prob(self, x: Any, context: Any = None, noise: Noise | None = None) -> Tensor:
        """Log-probability (b, K), in nats, of each scale's codes, the first with the size."""
        tokens: ExpansionTokenizer = self.tokenizer  # type: ignore[assignment]
        each = super().code_log_prob(x, context, noise)
        size = tokens.sizes.log_prob(x.sizes)
        return each + (size / each.shape[1])[:, None]


def build(
    config: ModelConfig,
    vocabulary: Vocabulary,
    sizes: tuple[int, ...],
    connected: bool,
    most: int,
) -> ExpansionRefiner:
    """Expansion of plain graphs.

    Args:
        config: Sizes.
        vocabulary: Labels, one of nodes and one of edges.
        sizes: Count of training graphs of size 0, 1, ...
        connected: Whether all graphs are.
        most: Edges of the largest training graph.

    Raises:
        InputError: There are labels.
    """
    tokens = ExpansionTokenizer(vocabulary, sizes, config.matching, config.counted)
    wide = tokens.sizes.largest
    head: DealHead | CountHead
    if config.counted:
        head = CountHead(config.dim, connected, wide, most)
    else:
        head = DealHead(config.dim, connected, wide)
    return ExpansionRefiner(
        tokens,
        CoarseEmbed(config.dim, config.heads, config.reach, config.counted),
        set_transformer(config, levels=2),
        head,
        every=config.every,
    )
