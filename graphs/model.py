"""The graphs model: what the domain plugs into the core."""

from collections.abc import Sequence

from graphs.config import ModelConfig
from graphs.embed import GraphEmbed
from graphs.graph import Vocabulary
from graphs.head import SplitHead
from graphs.support import Support
from graphs.tokenizer import ContractionTokenizer
from refine_core.refiner import Refiner
from refine_core.transformer import Transformer


def build(
    config: ModelConfig,
    vocabulary: Vocabulary,
    limits: Sequence[int],
    *,
    connected: bool = True,
    properties: int = 0,
    support: Support | None = None,
) -> Refiner:
    """Refiner over contractions.

    Args:
        config: Sizes.
        vocabulary: Labels.
        limits: Largest count of nodes of each label, then of edges of each label, in a graph.
        connected: Whether all graphs are.
        properties: Numbers of the context.
        support: What splits may be drawn; None allows all.
    """
    tokens = ContractionTokenizer(vocabulary, tuple(limits), config.parallel, connected)
    transformer = Transformer(
        config.dim,
        config.depth,
        config.heads,
        levels=3,
        condition=config.dim,
        history="markov",
        dropout=config.dropout,
    )
    return Refiner(
        tokens,
        GraphEmbed(
            config.dim,
            config.heads,
            tokens.labels,
            tokens.kinds,
            reach=config.reach,
            properties=properties,
            support=support,
        ),
        transformer,
        SplitHead(config.dim, tokens.digits(0), tokens.digit_values(0), connected, support),
        dropout=config.property_dropout if properties else 0.0,
    )
