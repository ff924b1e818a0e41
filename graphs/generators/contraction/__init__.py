"""Contraction: a graph is contracted to one cluster, and splits again code by code."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.generators.contraction.config import ContractionConfig as ContractionConfig
    from graphs.generators.contraction.embed import GraphEmbed as GraphEmbed
    from graphs.generators.contraction.kind import Contraction as Contraction
    from graphs.generators.contraction.refiner import ContractionRefiner as ContractionRefiner
    from graphs.generators.contraction.tokenizer import (
        ContractionTokenizer as ContractionTokenizer,
    )
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
