"""Verification of the joint structure, of events, and against the limit: by direct computation."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scoringrules
import xarray as xr

from refine_core.errors import InputError
from tests.weather.forecasts import DAY, ensemble, starts, world
from weather.cli.main import main as command
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.regions import region_weights
from weather.metrics.balance import geostrophic_wind, in_band
from weather.verification.cross_variable import ALL, set_statistics, variable_sets
from weather.verification.report import MEAN, VerificationReport
from weather.verification.report_writer import markdown
from weather.verification.run import verify
from weather.verification.selection import Areas

WORLD = world()
FORECAST = ensemble(WORLD, 6)
ONE: Any = {"variables": ["temperature_850"], "regions": ["global"]}
GRID = Grid(WORLD["latitude"].values, WORLD["longitude"].values)


def score(
    report: VerificationReport, name: str, row: str = "temperature_850", region: str = "global"
) -> np.ndarray:
    found = report["scores"]["forecast"][row][region][name]["value"]
    return np.array(found, float)


def pairs(lead: int, forecast: xr.Dataset = FORECAST) -> list[tuple[np.ndarray, np.ndarray]]:
    """Members (M, H, W) and truth (H, W) of temperature_850 from every start."""
    found = []
    for init in forecast["time"].values:
        x = forecast["temperature"].sel(time=init, level=850).isel(prediction_timedelta=lead)
        y = WORLD["temperature"].sel(time=init + (lead + 1) * DAY, level=850)
        found.append((x.values, y.values))
    return found


REPORT = verify(FORECAST, WORLD, variables=["temperature"], regions=["global", "tropics"])


@pytest.mark.parametrize(("kind", "pool"), [("average", np.mean), ("max", np.max)])
@pytest.mark.parametrize("size", [2, 4])
def test_pooled_crps_is_scoringrules_of_what_a_loop_pools(kind: str, pool: Any, size: int) -> None:
    area = GRID.area()[:, None] * np.ones(12)
    found = []
    for x, y in pairs(1):
        total = 0.0
        for i in range(0, 8, size):
            for j in range(0, 12, size):
                part = (slice(i, i + size), slice(j, j + size))
                if kind == "average":
                    members = [np.average(m[part], weights=area[part]) for m in x]
                    true = np.average(y[part], weights=area[part])
                else:
                    members, true = [m[part].max() for m in x], y[part].max()
                crps = scoringrules.crps_ensemble(float(true), np.array(members), estimator="fair")
                total += area[part].sum() / area.sum() * float(crps)
        found.append(total)
    assert score(REPORT, f"{kind}_crps_{size}")[1] == pytest.approx(np.mean(found), rel=1e-4)


def test_windows_larger_than_half_of_the_map_are_left_out() -> None:
    assert "average_crps_8" not in REPORT["scores"]["forecast"]["temperature_850"]["global"]


def test_the_twin_loses_structure_alone() -> None:
    twin = REPORT["shuffled"]["forecast"]
    assert list(REPORT["shuffled"]) == ["forecast"]
    row = twin["scores"]["temperature_850"]["global"]
    assert "crps_fair" not in row and {"energy", "variogram", "max_crps_2"} <= set(row)
    skill = twin["skill"]["temperature_850"]["global"]["max_crps_2"]
    value = 1 - score(REPORT, "max_crps_2") / np.array(row["max_crps_2"]["value"], float)
    np.testing.assert_allclose(np.array(skill["value"], float), value, atol=1e-4)
    assert skill["low"] is not None
    single = verify(FORECAST.isel(number=[0]), WORLD, **ONE)
    assert not single["shuffled"]


def test_members_of_waves_are_better_than_their_twin() -> None:
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, (6, 7, 3, 2, 1, 1))
    wave = 3 * np.sin(np.deg2rad(WORLD["longitude"].values) * 2 + phase) * np.ones((8, 1))
    future = WORLD["temperature"].sel(time=FORECAST["time"] + FORECAST["prediction_timedelta"])
    truth = future.transpose("time", "prediction_timedelta", ...).values[:, None]
    wavy = FORECAST[["temperature"]]
    values = (truth - wave[:, :1] + wave[:, 1:]).astype(np.float32)
    wavy = wavy.assign(temperature=(wavy["temperature"].dims, values))
    report = verify(wavy, WORLD, **ONE)
    skill = report["shuffled"]["forecast"]["skill"]["temperature_850"]["global"]
    assert np.array(skill["variogram"]["value"], float).min() > 0.05
    assert "scores are than those of the shuffled twin" in markdown(report)


def test_slopes_are_those_of_an_endless_ensemble() -> None:
    inits = starts(28, "2001-03-01", 20)
    few, many = (verify(ensemble(WORLD, m, inits), WORLD, **ONE) for m in (4, 30))
    # Weather varies by 3 K, the centre of the members is off by 2 K: it says more than it knows.
    # The climatology, of some thirty days, is off by about 1 K.
    for report in (few, many):
        assert score(report, "slope").mean() == pytest.approx(10 / 14, abs=0.02)
    for name in ("event_slope_0.1", "event_slope_0.9"):
        assert score(few, name).mean() == pytest.approx(score(many, name).mean(), abs=0.03)


def test_differences_of_members_are_those_of_a_double_loop() -> None:
    weight = region_weights(GRID, ["global"])[0].sum(1)
    error, inner = np.zeros(7), np.zeros(7)
    for x, y in pairs(0):
        error += weight @ np.mean([power(a - y) for a in x], 0)
        both = [power(a - b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
        inner += weight @ np.mean(both, 0)
    for kind, expected in (("error_spectrum", error), ("difference_spectrum", inner)):
        curve = REPORT[kind]["forecast"]["temperature_850"]["global"][0]  # type: ignore[literal-required]
        np.testing.assert_allclose(np.array(curve, float), expected / 6, rtol=1e-4)
    ratio = np.sqrt(inner[1:4].sum() / error[1:4].sum())
    assert score(REPORT, "waves_1-3")[0] == pytest.approx(ratio, rel=1e-4)


def power(maps: np.ndarray) -> np.ndarray:
    """(H, 7) power by zonal wavenumber of maps (H, 12)."""
    found = np.abs(np.fft.fft(maps, axis=-1) / 12) ** 2
    return np.asarray(found[:, :7] + np.pad(found[:, :6:-1], ((0, 0), (1, 1))))


def test_balance_of_members_and_truth_is_that_of_their_wind() -> None:
    grid = Grid(np.arange(-87.5, 90, 5.0), np.arange(0, 360, 5.0))
    generator = np.random.default_rng(0)
    waves = generator.normal(size=(5, 2, 36, 72)).cumsum(-1)
    height = (5e4 + 100 * (waves[:, 0] - waves[:, 0].mean(-1, keepdims=True)))[:, None]
    wind = geostrophic_wind(height, grid) + generator.normal(size=height.shape)
    maps = np.concatenate([height, wind], 1)
    channels = [Channel("geopotential", 500), Channel("v_component_of_wind", 500)]
    areas = Areas(grid, ["global", "tropics"])
    chosen = variable_sets(channels)[1]
    assert chosen.name == "wind and geopotential 500"
    table = set_statistics(chosen, maps[1:], maps[0], None, areas)
    area = (in_band(grid) * grid.area()[:, None] * np.ones(72)).ravel()
    northward = maps[:, 1].reshape(5, -1)
    geostrophic = geostrophic_wind(maps[:, 0], grid).reshape(5, -1)
    for suffix, of in (("", slice(1, None)), ("_truth", slice(0, 1))):
        v, g = northward[of].ravel(), geostrophic[of].ravel()
        weight = np.tile(area, len(northward[of]))
        difference = np.average((v - g) ** 2, weights=weight)
        found = table[f"ageostrophic_square{suffix}"]
        assert found[0, 0] == pytest.approx(difference)
        assert np.isnan(found[0, 1])  # no row of the tropics is in the band
        covariance = np.cov(v, g, aweights=weight, ddof=0)
        product = (
            table[f"wind_product{suffix}"] - table[f"wind{suffix}"] * table[f"geostrophic{suffix}"]
        )
        assert product[0, 0] == pytest.approx(covariance[0, 1])


def test_all_variables_are_scored_together() -> None:
    row = REPORT["scores"]["forecast"][ALL]
    assert set(row["global"]) == {"energy", "variogram"}
    assert REPORT["sets"] == {ALL: ["temperature_500", "temperature_850"]}
    assert ALL not in verify(FORECAST, WORLD, **ONE)["scores"]["forecast"]
    worse = verify(ensemble(WORLD, 6, spread=3.0), WORLD, variables=["temperature"])
    assert (score(worse, "energy", ALL) > 1.2 * score(REPORT, "energy", ALL)).all()


def test_a_tile_whose_climate_does_not_vary_does_not_outweigh_all_others() -> None:
    maps = np.random.default_rng(0).normal(size=(7, 2, *GRID.shape))
    areas = Areas(GRID, ["global"])
    every, *_ = variable_sets([Channel("temperature", 850), Channel("temperature", 500)])
    plain = np.ones((2, *GRID.shape))
    dry = plain.copy()
    dry[0, -3:] = 0
    found = [
        float(set_statistics(every, maps[1:], maps[0], (0 * plain, scale), areas)["energy"][0, 0])
        for scale in (plain, dry)
    ]
    assert found[0] < found[1] < 20 * found[0]


def test_comparisons_have_the_mean_of_all_variables() -> None:
    report = verify(FORECAST, WORLD, against={"b": ensemble(WORLD, 4, spread=2.0)})
    skill = report["differences"]["b"]["skill"]
    each = [skill[name]["global"]["max_crps_2"]["value"] for name in report["channels"]]
    found, expected = skill[MEAN]["global"]["max_crps_2"], np.array(each, float).mean(0)
    np.testing.assert_allclose(np.array(found["value"], float), expected, atol=1e-4)
    assert (np.array(found["low"], float) > 0).all()
    assert "| b | CRPS |" in markdown(report)


def test_an_event_above_a_threshold_has_scores_and_reliability() -> None:
    report = verify(FORECAST, WORLD, thresholds={"temperature_850": [262.0]}, **ONE)
    weight = region_weights(GRID, ["global"])[0]
    expected, bins = [], np.zeros(11)
    for x, y in pairs(2):
        chance, event = (x > 262).mean(0), y > 262
        fair = (chance - event) ** 2 - chance * (1 - chance) / 5
        expected.append((weight * fair).sum())
        bins += np.bincount(np.rint(chance * 10).astype(int).ravel(), weight.ravel() * 96, 11)
    assert score(report, "brier_fair_>262")[2] == pytest.approx(np.mean(expected), rel=1e-4)
    curve = report["reliability"][">262"]["forecast"]["temperature_850"]["global"][2]
    np.testing.assert_array_equal(np.array(curve["cells"], float), np.rint(bins))
    assert "Brier score of values above 262 in SI units" in markdown(report)


def test_members_are_rounded_as_the_truth_before_events_are_counted() -> None:
    quantum, report = 2.0, {}
    rounded = WORLD.copy()
    rounded["temperature"] = np.round(WORLD["temperature"] / quantum) * quantum
    for known in (False, True):
        rounded["temperature"].attrs = {"quantum": quantum} if known else {}
        thresholds = {"temperature_850": [262.0]}  # a multiple, which values equal and do not pass
        report[known] = verify(FORECAST, rounded, thresholds=thresholds, **ONE)
    weight = region_weights(GRID, ["global"])[0]
    expected = []
    for x, y in pairs(2):
        chance, event = (np.round(each / quantum) * quantum > 262 for each in (x, y))
        expected.append((weight * (chance.mean(0) - event) ** 2).sum())
    assert score(report[True], "brier_>262")[2] == pytest.approx(np.mean(expected), rel=1e-4)
    assert (score(report[True], "brier_>262") < score(report[False], "brier_>262")).all()
    assert (score(report[True], "crps") == score(report[False], "crps")).all()


def test_errors_by_spread_add_up_to_the_error() -> None:
    groups = REPORT["by_spread"]["forecast"]["temperature_850"]["global"]
    total = [np.sqrt(np.average(np.array(g["error"], float) ** 2)) for g in groups]
    np.testing.assert_allclose(
        total, score(REPORT, "rmse"), rtol=0.06
    )  # twelve cells in ten groups
    top = [np.divide(g["error"][-1], g["error"][0]) for g in groups]  # type: ignore[arg-type]
    np.testing.assert_allclose(score(REPORT, "flow_error"), top, rtol=1e-4)


def rain(forecast: bool) -> xr.Dataset:
    """Half of all cells are dry, in the truth as in the members."""
    data = (FORECAST if forecast else WORLD)[["mean_sea_level_pressure"]]
    data = data.rename(mean_sea_level_pressure="tp6h")
    data["tp6h"] = ((data["tp6h"] - 1e5).clip(min=0) * 1e-5).assign_attrs(units="m")
    return data


def test_precipitation_has_thresholds_and_dry_shares() -> None:
    report = verify(rain(True), rain(False), regions=["global"])
    row = "total_precipitation_6hr"
    for name in ("dry", "dry_truth"):
        np.testing.assert_allclose(score(report, name, row), 0.5, atol=0.1)
    kinds = [
        name for name in report["scores"]["forecast"][row]["global"] if "brier_fair_>" in name
    ]
    assert kinds == [f"brier_fair_>{each}" for each in ("0.0002", "0.001", "0.005", "0.01")]
    text = markdown(report)
    assert "Share of dry cells" in text and "values above 0.001 in SI units" in text


def test_a_mask_leaves_cells_out_and_numbers_may_be_missing_there() -> None:
    land = xr.zeros_like(WORLD["temperature"].isel(time=0, level=0, drop=True)).rename("land")
    land[:, ::2] = 1
    holes = {}
    for name, data in (("forecast", FORECAST), ("truth", WORLD)):
        holes[name] = data.where(land > 0)
    report = verify(holes["forecast"], holes["truth"], mask=land, **ONE)
    weight = region_weights(GRID, ["global"], land.values)[0]
    fair = [
        (weight * scoringrules.crps_ensemble(y, x, m_axis=0, estimator="fair")).sum()
        for x, y in pairs(0)
    ]
    assert score(report, "crps_fair")[0] == pytest.approx(np.mean(fair), rel=1e-4)
    assert np.isfinite(score(report, "max_crps_4")).all()
    whole = verify(FORECAST, WORLD, mask=land, **ONE)
    assert score(whole, "variogram") == pytest.approx(score(report, "variogram"))
    with pytest.raises(InputError, match="no number .* temperature_850"):
        verify(holes["forecast"], WORLD, **ONE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m * 0, "In the region 'global', the mask leaves no cell"),
        (lambda m: m * 280, "Found a mask of values from 0 to 280, expected shares of 0 to 1"),
        (lambda m: m.isel(latitude=slice(1, None)), "The mask has a grid of 7 x 12"),
        (lambda m: m.expand_dims(kind=2), "The mask has .* 'kind'"),
    ],
)
def test_masks_that_are_none_get_a_sentence(change: Any, message: str) -> None:
    mask = xr.ones_like(WORLD["temperature"].isel(time=0, level=0, drop=True))
    mask[0] = 0
    with pytest.raises(InputError, match=message):
        verify(FORECAST, WORLD, mask=change(mask), **ONE)


def perfect(spread: float = 0.1) -> xr.Dataset:
    """An ensemble close to the truth, from starts of its own."""
    near = ensemble(WORLD, 5, starts(8, "2002-02-11", 8), seed=4)
    for name in near:
        times = near["time"] + near["prediction_timedelta"]
        future = WORLD[name].sel(time=times).drop_vars("time")
        near[name] = (future + spread * (near[name] - future)).transpose(*near[name].dims)
    return near


def test_scores_are_multiples_of_those_of_the_perfect_model() -> None:
    both: Any = {"variables": ["temperature"], "regions": ["global"]}
    report = verify(FORECAST, WORLD, limit=perfect(), **both)
    limit = report["limit"]
    assert limit is not None and limit["members"] == 5 and limit["starts"]["count"] == 8
    alone = verify(perfect(), WORLD, **both)
    for name in ("crps_fair", "rmse", "max_crps_2", "brier_fair_0.9", "energy"):
        row = ALL if name == "energy" else "temperature_850"
        expected = alone["scores"]["forecast"][row]["global"][name]["value"]
        assert limit["scores"][row]["global"][name]["value"] == expected
        multiple = limit["multiples"]["forecast"][row]["global"][name]["value"]
        ratio = score(report, name, row) / np.array(expected, float)
        np.testing.assert_allclose(np.array(multiple, float), ratio, rtol=1e-4)
    assert "persistence" in limit["multiples"]
    assert "spread_skill" not in limit["multiples"]["forecast"]["temperature_850"]["global"]
    text = markdown(report)
    assert "the limit's score, that of the perfect model: 5 members, 8 starts" in text
    assert "| limit |" in text
    chapter = text.split("## Multiples of the limit")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in chapter.splitlines()]
    first = next(row for row in rows if row[:2] == ["temperature_850", "forecast"])
    shown = [float(cell.split()[0]) for cell in first[2:]]
    values = limit["multiples"]["forecast"]["temperature_850"]["global"]["crps_fair"]["value"]
    np.testing.assert_allclose(shown, np.array(values, float), rtol=0.01)
    assert {"### CRPS over that of the limit", "### RMSE over that of the limit"} < set(
        chapter.splitlines()
    )
    assert {"climatological ensemble", "dressed persistence", "climatology", "persistence"} < {
        row[1] for row in rows if len(row) > 1
    }


def test_the_limit_is_in_the_table_of_regions() -> None:
    report = verify(FORECAST, WORLD, limit=perfect(), variables=["temperature_850"],
                    regions=["global", "tropics"])  # fmt: skip
    text = markdown(report)
    before, regions = text.split("## Regions")
    assert re.search(r"\d×\)", regions) and not re.search(r"\d×\)", before)
    assert "Multiples of" not in markdown(REPORT)


def test_the_perfect_model_may_lack_leads_and_variables() -> None:
    few = perfect()[["temperature"]].isel(prediction_timedelta=[0, 2], level=[1])
    report = verify(FORECAST, WORLD, limit=few, regions=["global"])
    multiples = report["limit"]["multiples"]["forecast"]  # type: ignore[index]
    values = multiples["temperature_850"]["global"]["crps_fair"]["value"]
    assert [value is None for value in values] == [False, True, False]
    assert not multiples["temperature_500"]["global"] and not multiples[ALL]["global"]
    assert "(" in markdown(report)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.isel(number=[0]), "The limit has one member"),
        (lambda d: d.rename(temperature="x")[["x"]], "The limit has no variable that"),
        (lambda d: d.assign_coords(prediction_timedelta=d.prediction_timedelta / 2 * 1.5),
         "The limit has no lead time"),
        (lambda d: d.assign_coords(time=d.time + 9999 * DAY), "is in the truth, which goes from"),
    ],
)  # fmt: skip
def test_what_is_no_limit_gets_a_sentence(change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        verify(FORECAST, WORLD, limit=change(perfect().isel(prediction_timedelta=[0])), **ONE)


def test_the_same_seed_gives_the_same_report_from_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"mine": FORECAST[["temperature"]], "truth": WORLD[["temperature"]], "limit": perfect()}
    mask = xr.ones_like(WORLD["temperature"].isel(time=0, level=0, drop=True)) * 0.5
    for name, each in data.items():
        each.to_netcdf(tmp_path / f"{name}.nc")
    xr.Dataset({"lsm": mask.assign_attrs(units="1")}).to_netcdf(tmp_path / "mask.nc")
    for out in ("a", "b"):
        command(
            ["verify", str(tmp_path / "mine.nc"), "--truth", str(tmp_path / "truth.nc")]
            + ["--limit", str(tmp_path / "limit.nc"), "--mask", f"{tmp_path}/mask.nc:1-lsm"]
            + ["--regions", "mine=20,70,-60,60", "--thresholds", "temperature=262"]
            + ["--leads", "1", "--out", str(tmp_path / out)]
        )
    said = capsys.readouterr().out
    assert "CRPS over that of the limit" in said and "RMSE over that of the limit" in said
    first, second = ((tmp_path / out / "metrics_all.json").read_bytes() for out in "ab")
    assert first == second and b'"mine"' in first and b"brier_fair_>262" in first


@pytest.mark.parametrize(
    ("text", "message"),
    [("truth.nc", "expected file:variable"), (":lsm", "expected file:variable")],
)
def test_the_command_wants_a_file_and_a_variable_of_a_mask(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        command(["verify", "a.zarr", "--truth", "b.zarr", "--mask", text])
