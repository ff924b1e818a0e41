"""Statistics of each forecast, and the scores computed from their averages.

A statistic is a number for a start, lead time, channel and region, to be averaged over the starts.
A score is a function of such averages, so every root and ratio is taken after the average.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from weather.fields.arrays import Array
from weather.fields.regions import regional_mean
from weather.metrics import calibration, ensemble
from weather.metrics.joint import energy_score, variogram_score
from weather.metrics.spectra import zonal_power
from weather.verification.baselines import QUANTILES, Climate
from weather.verification.selection import Areas

Table = dict[str, Array]
"""Arrays by name of the statistic or score."""

BANDS = {"1-3": (1, 3), "4-9": (4, 9), "10-20": (10, 20), "21-": (21, 10**6)}
"""First and last zonal wavenumber of a band, by name."""
DRY = 1e-4
"""Metres of precipitation under which it is dry."""
RELIABILITY, BY_SPREAD = "reliability_", "by_spread"
"""Statistics that are curves: the former by event."""


def forecast_statistics(
    members: Array, truth: Array, climate: Climate | None, areas: Areas, quantum: float = 0.0
) -> Table:
    """Measure one forecast, cell by cell.

    Args:
        members: (M, L, H, W).
        truth: (L, H, W).
        climate: Climatology of the valid time; without it anomalies and events are left out.
        areas: Regions.
        quantum: Of which values of the truth are multiples; 0 if of none.

    Returns:
        Statistics (L, R), and curves (L, R, 3, n), by name.
    """
    error, count = members - truth, len(members)
    skill, dispersion = ensemble.crps_terms(error)
    mean, variance = error.mean(0), ensemble.variance(error)
    square = mean**2
    unbiased = ensemble.unbiased_square(square, variance, count)
    maps = {
        "crps": skill - dispersion * (1 - 1 / count),
        "crps_fair": skill - dispersion,
        "error": mean,
        "absolute": np.abs(mean),
        "square": square,
        "square_unbiased": unbiased,
        "variance": variance,
        "predicted": ensemble.predicted_square(variance, count),
    }
    result: Table = {}
    if climate is not None:
        forecast, anomaly = members.mean(0) - climate.mean, truth - climate.mean
        noise = variance / count if count > 1 else 0
        maps |= {"product": forecast * anomaly, "forecast": forecast**2, "anomaly": anomaly**2}
        maps |= {"forecast_mean": forecast, "anomaly_mean": anomaly}
        maps["forecast_unbiased"] = forecast**2 - noise
        for quantile, threshold in zip(QUANTILES, climate.quantiles, strict=True):
            result |= event_statistics(members, truth, f"{quantile:g}", threshold, areas, quantum)
    if count >= 4:
        result[BY_SPREAD] = calibration.by_spread(members, truth, areas.weight)
    return result | _averages(maps, areas)


def event_statistics(
    members: Array,
    truth: Array,
    name: str,
    threshold: Array | float,
    areas: Areas,
    quantum: float = 0.0,
) -> Table:
    """Measure the forecast of an event: a value above a threshold.

    Of a rounded truth, many values equal a threshold that is one of its quantiles, and are no
    events; members are rounded alike, or some of them would be events in their place.

    Args:
        members: (M, L, H, W).
        truth: (L, H, W).
        name: Name of the event.
        threshold: (L, H, W), or one for all.
        areas: Regions.
        quantum: Of which values of the truth are multiples; 0 if of none.

    Returns:
        Statistics (L, R), and the curve of `calibration.reliability`, by name.
    """
    if quantum:
        members = np.round(members / quantum) * quantum
    event, count = truth > threshold, len(members)
    chance = calibration.probability(members, np.asarray(threshold))
    maps = {
        f"brier_{name}": calibration.brier(chance, event, count, fair=False),
        f"brier_fair_{name}": calibration.brier(chance, event, count),
        f"chance_{name}": chance,
        f"event_{name}": event.astype(np.float64),
        f"chance_event_{name}": chance * event,
        f"chance_square_{name}": calibration.probability_square(chance, count),
    }
    curve = {RELIABILITY + name: calibration.reliability(chance, event, areas.weight)}
    return _averages(maps, areas) | curve


def dry_statistics(members: Array, truth: Array, areas: Areas) -> Table:
    """Shares of dry cells in members (M, L, H, W) of precipitation, and in the truth (L, H, W)."""
    return _averages({"dry": (members < DRY).mean(0), "dry_truth": 1.0 * (truth < DRY)}, areas)


def joint_statistics(members: Array, truth: Array, areas: Areas) -> Table:
    """Measure what depends on how the cells of a map vary together.

    Args:
        members: (M, L, H, W).
        truth: (L, H, W).
        areas: Regions.

    Returns:
        Statistics (L, R) by name.
    """
    tiles = areas.tiles
    result = {
        "energy": energy_score(members, truth, areas.weight),
        "variogram": variogram_score(tiles(members), tiles(truth), tiles.weight),
    }
    for size, windows in areas.windows.items():
        for kind, pool in (("average", windows.mean), ("max", windows.maximum)):
            score = ensemble.crps(pool(members), pool(truth))
            weight = areas.window_weight[size]
            result[f"{kind}_crps_{size}"] = regional_mean(score, weight)
    if len(members) > 1:
        spectra = difference_spectra(members, truth, areas)
        for name, (first, last) in BANDS.items():
            if first < spectra["error_spectrum"].shape[-1]:
                for kind, power in spectra.items():
                    result[f"{kind}_{name}"] = power[..., first : last + 1].sum(-1)
    return result


def difference_spectra(members: Array, truth: Array, areas: Areas) -> Table:
    """Power by zonal wavenumber of what truth and members, and members among them, differ by.

    Args:
        members: (M, L, H, W), M > 1.
        truth: (L, H, W).
        areas: Regions.

    Returns:
        (L, R, wavenumbers) each: `error_spectrum` of members minus truth and
        `difference_spectrum` of two members, equal where members and truth are exchangeable.
    """
    mean = members.mean(0)
    inner = zonal_power(members - mean).mean(0)
    error = zonal_power(mean - truth) + inner
    factor = 2 * len(members) / (len(members) - 1)
    return {
        "error_spectrum": areas.rows @ error,
        "difference_spectrum": areas.rows @ inner * factor,
    }


def _averages(maps: Mapping[str, Array], areas: Areas) -> Table:
    """Means (L, R) of maps (L, H, W) over the regions."""
    averages = regional_mean(np.stack(list(maps.values())), areas.weight)
    return dict(zip(maps, averages, strict=True))


def scores(mean: Mapping[str, Array]) -> Table:
    """Scores from the averages of statistics.

    Args:
        mean: Averages by name, of any shape; those there are.

    Returns:
        Scores of that shape by name, as `SCORES` and `EVENT_SCORES` say.
    """
    events = [name.removeprefix("event_") for name in mean if name.startswith("event_")]
    found: Table = {}
    with np.errstate(invalid="ignore", divide="ignore"):  # one member, or nothing to forecast
        for name, (needs, score) in SCORES.items():
            if set(needs) <= set(mean):
                found[name] = score(*(mean[need] for need in needs))
        for event in events:
            for name, (needs, score) in EVENT_SCORES.items():
                found[f"{name}_{event}"] = score(*(mean[f"{need}_{event}"] for need in needs))
    return {name: _finite(values) for name, values in found.items()}


def _finite(values: Array) -> Array:
    """Values with NaN for those that are infinite, such as ratios to nothing."""
    return np.where(np.isfinite(values), values, np.nan)


Formula = tuple[Sequence[str], Callable[..., Array]]


def _itself(name: str) -> Formula:
    return (name,), np.asarray


def _slope(product: Array, of: Array, on: Array, square: Array) -> Array:
    """Slope of a regression, from means of the product, of both factors, and of the square."""
    return np.asarray((product - of * on) / (square - on**2))


def _correlation(product: Array, a: Array, b: Array, aa: Array, bb: Array) -> Array:
    return np.asarray((product - a * b) / np.sqrt((aa - a**2) * (bb - b**2)))


def _balance(suffix: str) -> dict[str, Formula]:
    """Scores of the balance of the members, or of the truth."""
    names = [f"{n}{suffix}" for n in ("wind_product", "wind", "geostrophic")]
    squares = [f"{n}{suffix}" for n in ("wind_square", "geostrophic_square")]
    return {
        f"geostrophic_correlation{suffix}": ((*names, *squares), _correlation),
        f"ageostrophic_rms{suffix}": ((f"ageostrophic_square{suffix}",), ensemble.root),
    }


POOLED = tuple(f"{kind}_crps_{size}" for kind in ("average", "max") for size in (2, 4, 8))
SCORES: dict[str, Formula] = {
    # In the variable's units; the last three are of the ensemble mean.
    "crps_fair": _itself("crps_fair"),
    "crps": _itself("crps"),
    "rmse": (("square",), ensemble.root),
    "rmse_unbiased": (("square_unbiased",), ensemble.root),
    "spread": (("variance",), ensemble.root),
    "mae": _itself("absolute"),
    "bias": _itself("error"),
    # Of the joint structure: in the variable's units, the variogram score in their root.
    "energy": _itself("energy"),
    "variogram": _itself("variogram"),
    **{name: _itself(name) for name in POOLED},
    # Ratios that are 1 in a calibrated ensemble.
    "spread_skill": (("predicted", "square"), ensemble.spread_skill),
    "slope": (("product", "anomaly_mean", "forecast_mean", "forecast_unbiased"), _slope),
    **{
        f"waves_{band}": (
            (f"difference_spectrum_{band}", f"error_spectrum_{band}"),
            lambda difference, error: np.sqrt(difference / error),
        )
        for band in BANDS
    },
    "acc": (("product", "forecast", "anomaly"), ensemble.anomaly_correlation),
    "dry": _itself("dry"),
    "dry_truth": _itself("dry_truth"),
    **_balance(""),
    **_balance("_truth"),
}
"""Statistics that a score is made of, and how."""
EVENT_SCORES: dict[str, Formula] = {
    "brier": _itself("brier"),
    "brier_fair": _itself("brier_fair"),
    "event_slope": (("chance_event", "event", "chance", "chance_square"), _slope),
}
"""The same for each event, whose name follows that of the score."""
STRUCTURE = ("energy", "variogram", *POOLED)
"""Scores of the joint structure in which less is better."""
LOWER_IS_BETTER = ("crps_fair", "crps", "rmse", "rmse_unbiased", "mae", *STRUCTURE)
"""Scores in which forecasts are compared, besides the Brier scores."""


def flow_scores(curves: Array) -> Table:
    """How much larger error and spread are in cells of the largest spread than in the least.

    Args:
        curves: (..., 3, groups) averages of `calibration.by_spread`.

    Returns:
        (...) each: `flow_error` and `flow_spread`, equal if the spread says how the error varies;
        an error that does not depend on the spread has 1.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.sqrt(curves[..., 1:, :] / curves[..., :1, :])
        error, spread = np.moveaxis(means[..., -1] / means[..., 0], -1, 0)
    return {"flow_error": _finite(error), "flow_spread": _finite(spread)}


def diagnostics(
    members: Array, truth: Array, areas: Areas, generator: np.random.Generator
) -> Table:
    """Rank histograms and spectra of one forecast, to be averaged over starts.

    Args:
        members: (M, L, H, W).
        truth: (L, H, W).
        areas: Regions.
        generator: Draws the random numbers that break ties between truth and members.

    Returns:
        `spectrum` (L, R, wavenumbers) in squared units; if M > 1, `ranks` (L, R, M + 1), and
        those of `difference_spectra`.
    """
    count = len(members)
    power = zonal_power(members).mean(0)  # (L, H, wavenumbers)
    result: Table = {"spectrum": areas.rows @ power}
    if count > 1:
        rank = calibration.ranks(members, truth, generator)
        result["ranks"] = calibration.histogram(rank, count + 1, areas.weight)
        result |= difference_spectra(members, truth, areas)
    return result


def shuffled(members: Array, generator: np.random.Generator) -> Array:
    """The rank-shuffled twin: in each cell of each map, members change places at random.

    It has the same values in each cell, so the same CRPS, and no structure but that of the mean.

    Args:
        members: (M, L, H, W).
        generator: Draws the places.
    """
    return np.asarray(generator.permuted(members, axis=0))
