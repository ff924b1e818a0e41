"""One step of a forecast: a mean, a head for the residual, a correction; and their roll-out."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.forecaster.build import build_head as build_head
    from weather.forecaster.build import build_mean as build_mean
    from weather.forecaster.config import HeadConfig as HeadConfig
    from weather.forecaster.config import NetworkConfig as NetworkConfig
    from weather.forecaster.config import TokenizerConfig as TokenizerConfig
    from weather.forecaster.forecaster import Forecaster as Forecaster
    from weather.forecaster.head import ResidualHead as ResidualHead
    from weather.forecaster.inputs import HeadContext as HeadContext
    from weather.forecaster.inputs import StepInput as StepInput
    from weather.forecaster.rollout import State as State
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
