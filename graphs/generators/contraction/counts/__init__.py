"""The law of what a graph consists of: how many nodes of each label, how many edges of each."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.generators.contraction.counts.head import CountDistribution as CountDistribution
    from graphs.generators.contraction.counts.head import CountHead as CountHead
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
