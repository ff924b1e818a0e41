"""The distribution of the splits of clusters: their numbers, then where half-edges go."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.generators.contraction.split.bounds import Budget as Budget
    from graphs.generators.contraction.split.bounds import Demand as Demand
    from graphs.generators.contraction.split.distribution import (
        SplitDistribution as SplitDistribution,
    )
    from graphs.generators.contraction.split.half_edges import HalfEdges as HalfEdges
    from graphs.generators.contraction.split.head import SplitHead as SplitHead
    from graphs.generators.contraction.split.law import SplitLaw as SplitLaw
    from graphs.generators.contraction.split.law import SplitLogits as SplitLogits
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
