"""Pictures with a climatology: anomalies and ranges; probabilities of events; one member."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from refine_core.errors import InputError
from tests.weather.forecasts import DAY, ensemble, starts, world
from weather.fields.channel import Channel
from weather.fields.season import season
from weather.plots import maps, members, meteogram, probabilities
from weather.plots.forecast_plots import ForecastPlots, PlotRequest
from weather.plots.forecast_run import ForecastRun
from weather.plots.map.map_figure import MapAxis
from weather.plots.map.projections import Rectangle
from weather.plots.probabilities import Event

TRUTH = world()
FORECAST = ensemble(TRUTH, inits=starts(1))[["mean_sea_level_pressure"]]
START = FORECAST["time"].values[0]
PRESSURE = Channel("mean_sea_level_pressure")
MEMBERS = FORECAST["mean_sea_level_pressure"].isel(time=0).values / 100
"""(number, lead time, latitude, longitude), in hPa."""


def run(history: bool = True, forecast: xr.Dataset = FORECAST) -> ForecastRun:
    """The forecast with its truth, which is the history too."""
    return ForecastRun("f", forecast, TRUTH, history=TRUTH if history else None)


def past(lead: int) -> np.ndarray:
    """Pressure in hPa of the season of a lead time, which ends 15 days before the start."""
    known = TRUTH.sel(time=slice(None, START - 15 * DAY))["mean_sea_level_pressure"]
    near = season(known["time"].values, START + lead * DAY)
    assert 60 < len(near) < 93  # two whole seasons, and the beginning of a third
    return np.asarray(known.values[near]) / 100


@pytest.fixture
def shades(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All values that colours show."""
    seen: list[Any] = []
    shade = MapAxis.shade

    def watched(self: MapAxis, values: Any, scale: Any) -> Any:
        seen.append(values)
        return shade(self, values, scale)

    monkeypatch.setattr(MapAxis, "shade", watched)
    return seen


@pytest.fixture(autouse=True)
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every figure, which is not written."""
    seen: list[Any] = []
    for module in (maps, members, meteogram, probabilities):
        monkeypatch.setattr(module, "save_with_heading", lambda figure, *_: seen.append(figure))
    return seen


def test_maps_and_stamps_show_anomalies_from_the_climatology(shades: list[Any]) -> None:
    field = run().field(PRESSURE)
    maps.plot_maps(field, field.leads[:1], Rectangle(), Path("unused"))
    normal = past(1).mean(0)
    np.testing.assert_allclose(shades[0], MEMBERS[:, 0].mean(0) - normal, atol=1e-3)
    shades.clear()
    members.plot_stamps(field, field.leads[0], Rectangle(), Path("unused"))
    np.testing.assert_allclose(shades[0], MEMBERS[:, 0].mean(0) - normal, atol=1e-3)
    np.testing.assert_allclose(shades[2:], MEMBERS[:, 0] - normal, atol=1e-3)


def test_probabilities_are_shares_of_members(shades: list[Any], figures: list[Any]) -> None:
    field = run().field(PRESSURE)
    plot = probabilities.plot_probabilities
    events = [Event(False, 998.0), Event(True, 1001.0)]
    plot(field, field.leads[1:2], Rectangle(), events, Path("unused"))
    np.testing.assert_allclose(shades[0], 100 * (MEMBERS[:, 1] < 998).mean(0), rtol=1e-5)
    np.testing.assert_allclose(shades[1], 100 * (MEMBERS[:, 1] > 1001).mean(0), rtol=1e-5)
    texts = [text.get_text() for text in figures[0].texts]
    assert texts == ["below 998 hPa", "above 1001 hPa"]
    shades.clear()
    plot(field, field.leads[1:2], Rectangle(), [], Path("unused"))  # extremes of climatology
    low, high = np.quantile(past(2), [0.1, 0.9], axis=0)
    np.testing.assert_allclose(shades[0], 100 * (MEMBERS[:, 1] < low).mean(0), rtol=1e-5)
    np.testing.assert_allclose(shades[1], 100 * (MEMBERS[:, 1] > high).mean(0), rtol=1e-5)
    shades.clear()
    field = run(history=False).field(PRESSURE)
    plot(field, field.leads[1:2], Rectangle(), [], Path("unused"))  # round values
    assert all(0 < share.mean() < 40 for share in shades)


def rain(quantum: float) -> ForecastRun:
    """Rain of a desert in the east, with drops of a third of a quantum in members everywhere."""
    generator = np.random.default_rng(2)
    east = (TRUTH["longitude"] >= 180).rename("east")
    pressure = TRUTH["mean_sea_level_pressure"]
    wet = xr.zeros_like(pressure) + generator.integers(0, 9, pressure.shape) * quantum
    wet = wet.where(~east, 0).assign_attrs(units="m", quantum=quantum)
    falls = (FORECAST["mean_sea_level_pressure"] * 0).transpose(*FORECAST.dims, ...)
    falls = (falls + 8 * quantum).where(~east, 0) + quantum / 3
    name = "total_precipitation_6hr"
    forecast = falls.assign_attrs(units="m").to_dataset(name=name)
    past = wet.astype(np.float32).to_dataset(name=name)
    return ForecastRun("f", forecast.astype(np.float32), past, history=past)


def test_members_are_rounded_before_events_are_counted(shades: list[Any]) -> None:
    (channel,) = (made := rain(2.0**-16)).channels
    field = made.field(channel)
    plot = probabilities.plot_probabilities
    event = [Event(True, 1e3 * 8 * 2.0**-16)]  # the members' amount, but for a third of a quantum
    with pytest.raises(InputError, match="in no member everywhere"):
        plot(field, field.leads[:1], Rectangle(), event, Path("unused"))
    shades.clear()
    plot(field, field.leads[:1], Rectangle(), [], Path("unused"))  # the 90 % quantile
    dry = np.asarray(TRUTH["longitude"]) >= 180
    assert np.isnan(shades[0][:, dry]).all() and np.isfinite(shades[0][:, ~dry]).all()


def test_stamps_of_rain_show_amounts(shades: list[Any]) -> None:
    (channel,) = (made := rain(2.0**-16)).channels
    field = made.field(channel)
    members.plot_stamps(field, field.leads[0], Rectangle(), Path("unused"))
    (shown,) = field.members(field.leads[:1])
    np.testing.assert_array_equal(shades[2:], shown)


def test_the_meteogram_shows_the_range_of_climatology(figures: list[Any]) -> None:
    list(ForecastPlots(run(), PlotRequest(("meteogram",), point=(11, 30)), Path(".")).plot())
    low, middle, high = (line.get_ydata() for line in figures[0].axes[0].lines[:3])
    for day in (1, 2, 3):
        expected = np.quantile(past(day)[:, 4, 1], [0.1, 0.5, 0.9])
        got = low[day - 1], middle[day - 1], high[day - 1]
        np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_a_single_lead_time_is_a_box_in_the_meteogram(figures: list[Any]) -> None:
    single = FORECAST.isel(prediction_timedelta=[1])
    list(ForecastPlots(run(forecast=single), PlotRequest(("meteogram",)), Path(".")).plot())
    ends = [c.get_datalim(c.axes.transData) for c in figures[0].axes[0].collections]
    assert all(box.width > 0.1 and box.height > 0 for box in ends)


def test_one_member_is_plotted_as_a_forecast(
    tmp_path: Path, shades: list[Any], figures: list[Any]
) -> None:
    single = FORECAST.isel(number=0, drop=True)
    plots = ForecastPlots(run(False, single), PlotRequest(leads=[2.0]), tmp_path)
    kinds = [path.name.split("_")[0] for path in plots.plot()]
    assert kinds == ["maps", "spaghetti", "spectra", "animation", "meteogram.png"]
    happened = TRUTH["mean_sea_level_pressure"].sel(time=START + 2 * DAY).values / 100
    np.testing.assert_allclose(shades[0], MEMBERS[0, 1], rtol=1e-5)
    np.testing.assert_allclose(shades[1], MEMBERS[0, 1] - happened, atol=1e-3)
    assert [t.get_text() for t in figures[0].texts][0] == "forecast (hPa)"
    with pytest.raises(InputError, match="one member, but probabilities need two"):
        ForecastPlots(run(False, single), PlotRequest(["probabilities"]), tmp_path)


def test_default_contours_avoid_values_on_which_members_disagree() -> None:
    latitude, angle = TRUTH["latitude"].values, np.deg2rad(TRUTH["longitude"].values)
    low = 3000 * np.cos(2 * angle) ** 3  # steep around lows and highs, flat between
    generator = np.random.default_rng(3)
    noise = 500 * generator.normal(size=(1, 20, 1, len(latitude), len(angle)))
    values = FORECAST["mean_sea_level_pressure"].isel(number=[0] * 20, prediction_timedelta=[0])
    tangled = (values * 0 + 101000 + low + noise).transpose(*values.dims)
    tangled = tangled.assign_coords(number=np.arange(20)).assign_attrs(units="Pa")
    field = run(False, tangled.to_dataset(name="mean_sea_level_pressure")).field(PRESSURE)
    levels = members.default_levels(field, field.leads[0], Rectangle())
    inside = tangled.values[0, :, 0] / 100
    for level in levels:
        share = (inside < level).mean(0)
        assert ((share > 0.1) & (share < 0.9)).mean() <= members.MOST_UNCERTAIN
    assert levels[0] < 1000 < 1015 < levels[1]
    middle = (inside < 1010).mean(0)
    assert ((middle > 0.1) & (middle < 0.9)).mean() > 2 * members.MOST_UNCERTAIN


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"above": [2000.0]},
            "sea level pressure above 2000 hPa in no member everywhere: .*--above",
        ),
        ({"below": [2000.0]}, "below 2000 hPa in all members everywhere: .* --below"),
    ],
)
def test_events_that_tell_nothing_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        list(ForecastPlots(run(), PlotRequest(["probabilities"], **options), Path(".")).plot())
    assert re.fullmatch(r"[^\n]+\.", str(error.value))


def test_values_of_events_have_the_unit_of_one_variable() -> None:
    both = ForecastRun("f", ensemble(TRUTH, inits=starts(1)))
    with pytest.raises(InputError, match="with 3 variables, expected one"):
        ForecastPlots(both, PlotRequest(named=True, above=[5.0]), Path("."))


def test_a_history_that_is_too_short_or_of_another_grid_is_refused() -> None:
    short = TRUTH.sel(time=slice(START - 20 * DAY, None))
    field = ForecastRun("f", FORECAST, history=short).field(PRESSURE)
    with pytest.raises(InputError, match="has 0 states .* expected 10 or more"):
        maps.plot_maps(field, field.leads[:1], Rectangle(), Path("unused"))
    with pytest.raises(InputError, match="the history one of .* regrid"):
        ForecastRun("f", FORECAST, history=TRUTH.isel(latitude=slice(1, None)))
