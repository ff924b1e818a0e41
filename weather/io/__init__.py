"""Files and URLs of states and forecasts in canonical form, and stores to write forecasts to."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.io.canonical import grid_of as grid_of
    from weather.io.files import open_files as open_files
    from weather.io.forecast_store import ForecastStore as ForecastStore
    from weather.io.forecasts import as_forecast as as_forecast
    from weather.io.regridding import regrid as regrid
    from weather.io.source import Source as Source
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
