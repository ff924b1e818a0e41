"""Pictures of a forecast: maps, members, probabilities, wind, meteograms, spectra, animations."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.plots.forecast_field import ForecastField as ForecastField
    from weather.plots.forecast_plots import ForecastPlots as ForecastPlots
    from weather.plots.forecast_plots import PlotRequest as PlotRequest
    from weather.plots.forecast_run import ForecastRun as ForecastRun
    from weather.plots.map_slider import forecast_slider as forecast_slider
    from weather.plots.maps import plot_animation as plot_animation
    from weather.plots.maps import plot_maps as plot_maps
    from weather.plots.members import plot_spaghetti as plot_spaghetti
    from weather.plots.members import plot_stamps as plot_stamps
    from weather.plots.meteogram import plot_meteogram as plot_meteogram
    from weather.plots.probabilities import Event as Event
    from weather.plots.probabilities import plot_probabilities as plot_probabilities
    from weather.plots.spectra import plot_spectra as plot_spectra
    from weather.plots.wind import plot_wind as plot_wind
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
