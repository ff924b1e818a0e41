"""Verification: scores by hand, other layouts, comparisons."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.weather.forecasts import DAY, ensemble, other_layout, starts, world
from weather.fields.grid import Grid
from weather.fields.regions import region_weights, regional_mean
from weather.io import values
from weather.metrics.ensemble import crps
from weather.verification.report import VerificationReport
from weather.verification.run import verify

WORLD = world()
FORECAST = ensemble(WORLD)
REPORT = verify(FORECAST, WORLD)
ONE: Any = {"variables": ["temperature_850"], "regions": ["global"]}
"""All that most tests look at."""


def score(
    report: VerificationReport,
    score: str,
    name: str = "forecast",
    channel: str = "temperature_850",
    region: str = "global",
) -> np.ndarray:
    return np.array(report["scores"][name][channel][region][score]["value"], float)


def valid(init: int, lead: int) -> np.datetime64:
    when: np.datetime64 = FORECAST["time"].values[init] + (lead + 1) * DAY
    return when


def test_scores_are_those_computed_by_hand() -> None:
    grid = Grid(WORLD["latitude"].values, WORLD["longitude"].values)
    weight = region_weights(grid, ["southern-extratropics"])
    fair, square, persistence = [], [], []
    for init in range(len(FORECAST["time"])):
        x = FORECAST["temperature"].isel(time=init, prediction_timedelta=1, level=1).values
        y = WORLD["temperature"].sel(time=valid(init, 1)).isel(level=1).values
        start = WORLD["temperature"].sel(time=FORECAST["time"][init]).isel(level=1).values
        fair.append(regional_mean(crps(x, y), weight))
        square.append(regional_mean((x.mean(0) - y) ** 2, weight))
        persistence.append(regional_mean(np.abs(start - y), weight))
    where = {"region": "southern-extratropics"}
    assert score(REPORT, "crps_fair", **where)[1] == pytest.approx(np.mean(fair), rel=1e-5)
    assert score(REPORT, "rmse", **where)[1] == pytest.approx(np.mean(square) ** 0.5, rel=1e-5)
    found = score(REPORT, "mae", "persistence", **where)[1]
    assert found == pytest.approx(np.mean(persistence), rel=1e-5)
    assert score(REPORT, "crps", "persistence", **where)[1] == found


def test_exchangeable_members_are_calibrated() -> None:
    inits = starts(28, "2001-03-01", 20)
    report = verify(ensemble(WORLD, 8, inits), WORLD, **ONE)
    np.testing.assert_allclose(score(report, "spread_skill"), 1, atol=0.05)
    share = np.array(report["ranks"]["forecast"]["temperature_850"]["global"])
    assert share.shape == (3, 9)
    np.testing.assert_allclose(share.mean(0) * 9, 1, atol=0.1)
    narrow = verify(ensemble(WORLD, 8, inits[::4], spread=0.5), WORLD, **ONE)
    assert score(narrow, "spread_skill").max() < 0.65
    assert score(narrow, "crps_fair").min() > score(report, "crps_fair").max()


def test_the_truth_is_a_perfect_forecast() -> None:
    perfect = ensemble(WORLD, 3)
    times = perfect["time"] + perfect["prediction_timedelta"]
    for name in perfect:
        values = WORLD[name].sel(time=times.values.ravel()).values
        shape = (*times.shape, *values.shape[1:])
        members = np.stack([values.reshape(shape)] * 3, 1)
        perfect[name] = (perfect[name].dims, members, perfect[name].attrs)
    report = verify(perfect, WORLD, variables=["temperature"], regions=["global"])
    for name in ("crps_fair", "rmse", "bias", "energy", "variogram", "brier_0.9"):
        np.testing.assert_allclose(score(report, name), 0, atol=1e-5)
    np.testing.assert_allclose(score(report, "acc"), 1)
    truth, members = (
        np.array(report["spectrum"][name]["temperature_500"]["global"], float)
        for name in ("truth", "forecast")
    )
    np.testing.assert_allclose(members, truth, rtol=1e-5)


def test_climatology_knows_no_more_than_the_season() -> None:
    assert score(REPORT, "acc", "climatological ensemble").max() < 0.3
    ratio = score(REPORT, "crps_fair", "climatological ensemble") / score(
        REPORT, "crps", "climatology"
    )
    np.testing.assert_allclose(ratio, 1 / np.sqrt(2), atol=0.04)  # of Gaussians
    assert (
        score(REPORT, "crps_fair", "dressed persistence")
        < score(REPORT, "crps_fair", "persistence")
    ).all()


def test_other_layouts_have_the_same_scores() -> None:
    assert verify(other_layout(FORECAST), WORLD) == REPORT


@pytest.mark.parametrize("dim", ["sample", "realization", "realisation", "members"])
def test_the_dimension_of_members_has_other_names(dim: str) -> None:
    few = FORECAST.isel(time=[0], number=[0, 1])
    report = verify(few.rename(number=dim), WORLD, **ONE)
    assert report["members"]["forecast"] == 2


def test_reading_piece_by_piece_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "BUDGET", 1)
    two = FORECAST.isel(time=[0, 3])
    chunked = two.chunk(time=1, number=1)
    assert verify(chunked, WORLD.chunk(time=100), **ONE) == verify(two, WORLD, **ONE)


def test_a_deterministic_forecast_is_an_ensemble_of_one() -> None:
    report = verify(FORECAST.isel(number=0, drop=True), WORLD, **ONE)
    np.testing.assert_array_equal(score(report, "crps_fair"), score(report, "mae"))
    assert "spread_skill" not in report["scores"]["forecast"]["temperature_850"]["global"]
    assert "one member is its mean absolute error: forecast," in report["notes"][-1]
    assert "ranks" not in report


def test_pairs_beyond_the_truth_are_left_out_and_counted() -> None:
    until = FORECAST["time"].values[-1] + DAY  # the last start has one day
    report = verify(FORECAST, WORLD.sel(time=slice(None, until)), **ONE)
    assert report["pairs"] == {"verified": 16, "left_out": 2}
    assert "2 of 18 pairs" in report["notes"][0]
    fewer = verify(FORECAST.isel(time=slice(0, -1)), WORLD, **ONE)
    assert score(report, "crps_fair")[1] == score(fewer, "crps_fair")[1]
    assert score(report, "crps_fair")[0] == score(REPORT, "crps_fair")[0]


def test_forecasts_are_compared_where_they_have_the_same_starts() -> None:
    worse = ensemble(WORLD, 4, starts()[1:], spread=3.0)
    report = verify(FORECAST, WORLD, against={"worse": worse}, **ONE)
    assert report["starts"]["count"] == 5
    assert list(report["scores"])[:2] == ["forecast", "worse"]
    leaf = report["differences"]["worse"]["difference"]["temperature_850"]["global"]["crps_fair"]
    expected = score(report, "crps_fair") - score(report, "crps_fair", "worse")
    np.testing.assert_allclose(np.array(leaf["value"], float), expected, rtol=1e-3)
    assert (np.array(leaf["high"], float) < 0).all()
    same = verify(FORECAST, WORLD, against={"same": FORECAST}, **ONE)
    leaf = same["differences"]["same"]["difference"]["temperature_850"]["global"]["energy"]
    assert leaf == {"value": [0.0] * 3, "low": [0.0] * 3, "high": [0.0] * 3}


def test_variables_and_lead_times_are_chosen() -> None:
    report = verify(FORECAST, WORLD, variables=["temperature_850"], lead_days=[3, 1])
    assert list(report["channels"].items()) == [("temperature_850", "K")]
    assert report["lead_days"] == [1, 3]
    np.testing.assert_array_equal(score(report, "crps_fair"), score(REPORT, "crps_fair")[[0, 2]])


def test_what_the_truth_lacks_is_left_out_and_named() -> None:
    report = verify(FORECAST, WORLD.isel(level=[1]))
    assert list(report["channels"]) == ["temperature_850", "mean_sea_level_pressure"]
    assert report["notes"][-1].endswith("not in the truth: temperature_500.")


def test_without_a_history_there_is_no_climatology() -> None:
    report = verify(FORECAST, WORLD.sel(time=slice("2002-02-20", None)), **ONE)
    assert list(report["scores"]) == ["forecast", "persistence"]
    assert any("no climatological baselines" in note for note in report["notes"])
    given = verify(FORECAST, WORLD.sel(time=slice("2002-02-20", None)), WORLD)
    assert given["scores"] == REPORT["scores"]


def test_a_history_of_every_other_day_lacks_dressed_persistence_at_odd_leads_only() -> None:
    gaps = WORLD.isel(time=slice(None, None, 2))
    report = verify(FORECAST, WORLD, gaps, **ONE)
    assert list(report["scores"]) == list(REPORT["scores"])
    assert list(report["reliability"]) == ["0.1", "0.9"]
    assert any("no dressed persistence at 1, 3 days" in note for note in report["notes"])
    assert not any("no climatological baselines" in note for note in report["notes"])
    dressed = score(report, "crps_fair", "dressed persistence")
    even = verify(FORECAST, WORLD, gaps, lead_days=[2], **ONE)
    assert np.isnan(dressed).tolist() == [True, False, True]
    assert dressed[1] == score(even, "crps_fair", "dressed persistence")[0]
    assert not any("dressed" in note for note in even["notes"])


def test_one_start_has_no_intervals() -> None:
    report = verify(FORECAST.isel(time=[2]), WORLD, regions=["tropics"])
    assert report["scores"]["forecast"]["temperature_500"]["tropics"]["crps"]["low"] is None
    assert any("5 blocks of starts or more, found 1" in note for note in report["notes"])


def test_lead_0_changes_no_score() -> None:
    analysis = WORLD.sel(time=FORECAST["time"]).expand_dims(
        number=FORECAST["number"], prediction_timedelta=[0 * DAY]
    )
    later = FORECAST.drop_vars("valid_time")
    whole = xr.concat([analysis, later], "prediction_timedelta")
    assert whole.sizes["prediction_timedelta"] == 1 + FORECAST.sizes["prediction_timedelta"]
    found, expected = verify(whole, WORLD, **ONE), verify(FORECAST, WORLD, **ONE)
    assert found["lead_days"] == [1, 2, 3]
    assert found["scores"] == expected["scores"]
    assert score(verify(whole, WORLD, lead_days=[0], **ONE), "crps_fair").tolist() == [0]


def test_a_part_of_the_globe_is_scored_alike_wherever_it_lies() -> None:
    box = {"latitude": slice(1, 7), "longitude": slice(2, 10)}
    here, made = WORLD.isel(box), FORECAST.isel(box)
    found = []
    for east in (0.0, 200.0):
        moved = [
            data.assign_coords(longitude=(data["longitude"] + east) % 360).sortby("longitude")
            for data in (made, here)
        ]
        found.append(verify(*moved, regions=["global"])["scores"]["forecast"])
    for name, scores in found[0].items():
        for key, leaf in scores["global"].items():
            both = (leaf, found[1][name]["global"][key])
            one, other = (np.array(each["value"], np.float64) for each in both)
            np.testing.assert_allclose(one, other, rtol=1e-4, err_msg=f"{name} {key}")
