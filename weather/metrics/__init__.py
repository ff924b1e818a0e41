"""Scores of ensembles in plain numpy: members on the first axis, whole maps at a time.

Each function computes a statistic that can be averaged over an area and over forecasts; roots and
ratios come after the average (`weather.verification.statistics`).
"""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.metrics.balance import geostrophic_wind as geostrophic_wind
    from weather.metrics.balance import in_band as in_band
    from weather.metrics.calibration import brier as brier
    from weather.metrics.calibration import by_spread as by_spread
    from weather.metrics.calibration import histogram as histogram
    from weather.metrics.calibration import probability as probability
    from weather.metrics.calibration import probability_square as probability_square
    from weather.metrics.calibration import ranks as ranks
    from weather.metrics.calibration import reliability as reliability
    from weather.metrics.ensemble import anomaly_correlation as anomaly_correlation
    from weather.metrics.ensemble import crps as crps
    from weather.metrics.ensemble import predicted_square as predicted_square
    from weather.metrics.ensemble import spread_skill as spread_skill
    from weather.metrics.ensemble import unbiased_square as unbiased_square
    from weather.metrics.ensemble import variance as variance
    from weather.metrics.joint import Tiles as Tiles
    from weather.metrics.joint import cross_variogram_score as cross_variogram_score
    from weather.metrics.joint import energy_score as energy_score
    from weather.metrics.joint import variogram_score as variogram_score
    from weather.metrics.pooling import MapWindows as MapWindows
    from weather.metrics.sorting import quantile as quantile
    from weather.metrics.spectra import zonal_power as zonal_power
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
