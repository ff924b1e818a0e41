"""Statistics of each forecast, and the scores computed from their averages.

A statistic is a number for a start, lead time, channel and region, to be averaged over the starts.
A score is a function of such averages, so every root and ratio is taken after the average.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from weather.fields.arrays import Array
from weather.fields.grid import Grid
from weather.fields.regions import region_weights, regional_mean
from weather.metrics import calibration, ensemble
from weather.metrics.joint import Blocks, energy_score, variogram_score
from weather.metrics.spectra import zonal_power
from weather.verification.baselines import QUANTILES, Climate

Table = dict[str, Array]
"""Arrays by name of the statistic or score."""


class Areas:
    """Regions of a grid.

    Args:
        grid: The grid of the maps.
        regions: Names, R of them.
    """

    def __init__(self, grid: Grid, regions: Sequence[str]) -> None:
        self.weight = region_weights(grid, regions)
        """(R, H), of sum 1."""
        self.blocks = Blocks(grid, self.weight)


def forecast_statistics(
    members: Array, truth: Array, climate: Climate | None, areas: Areas
) -> Table:
    """Measure one forecast.

    Args:
        members: (M, L, H, W).
        truth: (L, H, W).
        climate: Climatology of the valid time; without it anomalies and events are left out.
        areas: Regions.

    Returns:
        Statistics (L, R) by name.
    """
    error, count = members - truth, len(members)
    skill, dispersion = ensemble.crps_terms(error)
    mean, variance = error.mean(0), ensemble.variance(error)
    square = mean**2
    maps = {
        "crps": skill - dispersion * (1 - 1 / count),
        "crps_fair": skill - dispersion,
        "error": mean,
        "absolute": np.abs(mean),
        "square": square,
        "square_unbiased": ensemble.unbiased_square(square, variance, count),
        "variance": variance,
        "predicted": ensemble.predicted_square(variance, count),
    }
    if climate is not None:
        anomaly = truth - climate.mean
        forecast = mean + anomaly
        maps |= {"product": forecast * anomaly, "forecast": forecast**2, "anomaly": anomaly**2}
        for quantile, threshold in zip(QUANTILES, climate.quantiles, strict=True):
            event = truth > threshold
            chance = calibration.probability(members, threshold)
            for name, fair in (("brier", False), ("brier_fair", True)):
                score = calibration.brier(chance, event, count, fair=fair)
                maps[f"{name}_{quantile:g}"] = score
    averages = regional_mean(np.stack(list(maps.values())), areas.weight)
    blocks = areas.blocks
    return dict(zip(maps, averages, strict=True)) | {
        "energy": energy_score(members, truth, areas.weight),
        "variogram": variogram_score(blocks(members), blocks(truth), blocks.weight),
    }


def scores(mean: Mapping[str, Array]) -> Table:
    """Scores from the averages of statistics.

    Args:
        mean: Averages by name, of any shape.

    Returns:
        Scores of that shape by name. In the variable's units: crps, crps_fair, rmse,
        rmse_unbiased, spread, mae (of the ensemble mean), bias, energy; in their root: variogram.
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # one member, or nothing to forecast
        result = {
            "crps_fair": mean["crps_fair"],
            "crps": mean["crps"],
            "rmse": ensemble.root(mean["square"]),
            "rmse_unbiased": ensemble.root(mean["square_unbiased"]),
            "mae": mean["absolute"],
            "bias": mean["error"],
            "spread": ensemble.root(mean["variance"]),
            "spread_skill": ensemble.spread_skill(mean["predicted"], mean["square"]),
            "energy": mean["energy"],
            "variogram": mean["variogram"],
        }
        if "product" in mean:
            result["acc"] = ensemble.anomaly_correlation(
                mean["product"], mean["forecast"], mean["anomaly"]
            )
    return result | {name: mean[name] for name in mean if name.startswith("brier")}


LOWER_IS_BETTER = ("crps_fair", "crps", "rmse", "rmse_unbiased", "mae", "energy", "variogram")
"""Scores in which forecasts are compared, besides the Brier scores."""


def diagnostics(
    members: Array,
    truth: Array,
    climate: Climate | None,
    areas: Areas,
    generator: np.random.Generator,
) -> Table:
    """Rank histograms, spectra and reliability of one forecast, to be averaged over starts.

    Args:
        members: (M, L, H, W).
        truth: (L, H, W).
        climate: Climatology of the valid time; without it reliability is left out.
        areas: Regions.
        generator: Draws the random numbers that break ties between truth and members.

    Returns:
        `ranks` (L, R, M + 1), if M > 1; `spectrum` (L, R, wavenumbers) in squared units;
        `reliability_<quantile>` (L, R, 3, bins) of `calibration.reliability`.
    """
    weight, count = areas.weight, len(members)
    power = zonal_power(members).mean(0)  # (L, H, wavenumbers)
    result: Table = {"spectrum": weight @ power}
    if count > 1:
        rank = calibration.ranks(members, truth, generator)
        result["ranks"] = calibration.histogram(rank, count + 1, weight)
    if climate is not None:
        for quantile, threshold in zip(QUANTILES, climate.quantiles, strict=True):
            chance = calibration.probability(members, threshold)
            event = truth > threshold
            name = f"reliability_{quantile:g}"
            result[name] = calibration.reliability(chance, event, weight)
    return result
