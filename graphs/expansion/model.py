"""Expansion as a refiner."""

from typing import Any

from torch import Tensor

from graphs.config import ModelConfig
from graphs.expansion.counts import CountHead
from graphs.expansion.embed import CoarseEmbed
from graphs.expansion.head import DealHead
from graphs.expansion.tokenizer import ExpansionTokenizer
from graphs.graph import Vocabulary
from graphs.network import set_transformer
from refine_core.noise import Noise
from refine_core.refiner import Refiner


class ExpansionRefiner(Refiner):
    """A refiner whose first scale also tells the size of a graph."""

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
    )
