"""What the kinds of generators share."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.generators.common.coarsening import Tree as Tree
    from graphs.generators.common.coarsening import contract as contract
    from graphs.generators.common.config import NetworkConfig as NetworkConfig
    from graphs.generators.common.config import SamplingConfig as SamplingConfig
    from graphs.generators.common.kind import GeneratorKind as GeneratorKind
    from graphs.generators.common.kind import Names as Names
    from graphs.generators.common.refiner import GraphRefiner as GraphRefiner
    from graphs.generators.common.statistics import GraphStatistics as GraphStatistics
    from graphs.generators.common.valence import ValenceLimits as ValenceLimits
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
