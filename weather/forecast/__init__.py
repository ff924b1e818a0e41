"""Ensemble forecasts from states in a file to a store."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.forecast.initial_states import InitialStates as InitialStates
    from weather.forecast.run import write_forecast as write_forecast
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
