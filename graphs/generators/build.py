"""The graphs model: what the domain plugs into the core."""

from collections.abc import Sequence

from graphs.config import ModelConfig
from graphs.data.batch import Vocabulary
from graphs.generators.common.layers import set_transformer
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.valence import Support
from graphs.generators.contraction.embed import GraphEmbed
from graphs.generators.contraction.refiner import ContractionRefiner
from graphs.generators.contraction.split.head import SplitHead
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from graphs.generators.expansion.model import build as expansion
from graphs.generators.masked.model import build as masked
from refine_core.errors import InputError


def build(
    config: ModelConfig,
    vocabulary: Vocabulary,
    limits: Sequence[int],
    *,
    connected: bool = True,
    properties: int = 0,
    support: Support | None = None,
    sizes: tuple[int, ...] = (),
) -> GraphRefiner:
    """Refiner of the kind that the config asks for.

    Args:
        config: Sizes.
        vocabulary: Labels.
        limits: Largest count of nodes of each label, then of edges of each label, in a graph.
        connected: Whether all graphs are.
        properties: Numbers of the context.
        support: What may be drawn; None allows all.
        sizes: Count of training graphs of size 0, 1, ...; contractions do not need it.

    Raises:
        InputError: The kind takes no properties, or needs sizes, or takes no directed graphs.
    """
    if vocabulary.directed and (config.kind != "contraction" or config.shown != "none"):
        raise InputError(
            f"A model of kind {config.kind!r} with edges {config.shown!r} shown takes no directed "
            "graphs: set `model.kind` to contraction and `model.shown` to none."
        )
    if config.kind != "contraction":
        if properties:
            raise InputError(
                f"A model of kind {config.kind!r} takes no properties: leave `data.properties` "
                "empty, or set `model.kind` to contraction."
            )
        if config.kind == "expansion":
            return expansion(config, vocabulary, sizes, connected, limits[-1])
        return masked(config, vocabulary, sizes, support)
    tokens = ContractionTokenizer(
        vocabulary, tuple(limits), config.parallel, connected, config.matching
    )
    transformer = set_transformer(config, levels=3)
    parts = (
        tokens,
        GraphEmbed(
            config.dim,
            config.heads,
            tokens.labels,
            tokens.kinds,
            reach=config.reach,
            properties=properties,
            support=support,
            cycles=config.cycles,
            shown=config.shown,
        ),
        transformer,
        SplitHead(
            config.dim,
            tokens.digits(0),
            tokens.digit_values(0),
            connected,
            support,
            config.coupled,
            config.smooth,
            tokens.kinds if config.shown == "none" else None,
        ),
    )
    return ContractionRefiner(
        *parts,
        share=config.share,
        single=config.single_dropout if properties > 1 else 0.0,
        dropout=config.property_dropout,
    )
