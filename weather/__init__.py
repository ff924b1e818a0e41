"""Weather: ensemble forecasts by iterative refinement over latitude-longitude pyramids."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.calibration.search import calibrate as calibrate
    from weather.config import WeatherConfig as WeatherConfig
    from weather.data.preparation import prepare as prepare
    from weather.earth2studio_model import Earth2StudioModel as Earth2StudioModel
    from weather.fields.grid import Grid as Grid
    from weather.forecast.initial_states import InitialStates as InitialStates
    from weather.forecast.run import write_forecast as write_forecast
    from weather.forecaster.rollout import State as State
    from weather.io.regridding import regrid as regrid
    from weather.model import WeatherModel as WeatherModel
    from weather.model import load as load
    from weather.planning.stages import plan as plan
    from weather.plots.forecast_plots import plot as plot
    from weather.training.run import train as train
    from weather.verification.report_writer import score_table as score_table
    from weather.verification.run import verify as verify
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
