"""The set transformer that all kinds of models share."""

from graphs.config import ModelConfig
from refine_core.transformer import Transformer


def set_transformer(config: ModelConfig, levels: int) -> Transformer:
    """A transformer without positions, conditioned on a vector; a scale sees its state only.

    Args:
        config: Sizes.
        levels: Kinds of tokens that have parameters of their own.
    """
    return Transformer(
        config.dim,
        config.depth,
        config.heads,
        levels=levels,
        condition=config.dim,
        history="markov",
        dropout=config.dropout,
    )
