"""Typed YAML configs, ranges of their fields, and sentences that name their mistakes."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.config.ranges import NonNegativeFloat as NonNegativeFloat
    from refine_core.config.ranges import NonNegativeInt as NonNegativeInt
    from refine_core.config.ranges import PositiveFloat as PositiveFloat
    from refine_core.config.ranges import PositiveInt as PositiveInt
    from refine_core.config.ranges import RunName as RunName
    from refine_core.config.ranges import Share as Share
    from refine_core.config.ranges import ShareBelowOne as ShareBelowOne
    from refine_core.config.ranges import admitting as admitting
    from refine_core.config.schema import config as config
    from refine_core.config.schema import dump as dump
    from refine_core.config.schema import from_dict as from_dict
    from refine_core.config.schema import load as load
    from refine_core.config.schema import to_dict as to_dict
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
