"""Masked diffusion of graphs, the control: hidden labels of nodes and pairs are revealed."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.generators.masked.config import MaskedConfig as MaskedConfig
    from graphs.generators.masked.kind import Masked as Masked
    from graphs.generators.masked.refiner import MaskedRefiner as MaskedRefiner
    from graphs.generators.masked.state import PartialGraphs as PartialGraphs
    from graphs.generators.masked.tokenizer import MaskedTokenizer as MaskedTokenizer
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
