"""Heads: hidden states to distributions over the codes of a scale.

A distribution is whatever has the methods of `Distribution`; codes may be integers, as under
`CodeDistribution`, or real numbers, as under `GaussianMixture`.
"""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.heads.categorical import BitwiseHead as BitwiseHead
    from refine_core.heads.categorical import CategoricalHead as CategoricalHead
    from refine_core.heads.categorical import CodeDistribution as CodeDistribution
    from refine_core.heads.config import HeadConfig as HeadConfig
    from refine_core.heads.config import build_head as build_head
    from refine_core.heads.depth import DepthHead as DepthHead
    from refine_core.heads.distribution import Distribution as Distribution
    from refine_core.heads.distribution import Head as Head
    from refine_core.heads.distribution import OwnLoss as OwnLoss
    from refine_core.heads.flow import FlowHead as FlowHead
    from refine_core.heads.gaussian import GaussianMixture as GaussianMixture
    from refine_core.heads.gaussian import GaussianMixtureHead as GaussianMixtureHead
    from refine_core.heads.mixture import MixtureHead as MixtureHead
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
