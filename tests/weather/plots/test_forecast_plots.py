"""Pictures of a forecast: they show what is in the file."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from scipy.interpolate import RegularGridInterpolator

from refine_core.errors import InputError
from tests.weather.forecasts import DAY, ensemble, other_layout, starts, world
from weather.cli.main import main as command
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.plots import maps as plot_maps
from weather.plots import members as plot_members
from weather.plots import meteogram as plot_point
from weather.plots import probabilities as plot_probabilities
from weather.plots import spectra as plot_spectra
from weather.plots import wind as plot_wind
from weather.plots.forecast_field import ForecastField
from weather.plots.forecast_plots import ForecastPlots, PlotRequest, plot
from weather.plots.forecast_run import ForecastRun
from weather.plots.map.map_figure import MapAxis
from weather.plots.map.projections import Rectangle

WORLD = world(years=1)
INITS = starts(2, first="2000-03-01")
FORECAST = ensemble(WORLD, inits=INITS)
GRAVITY = 9.80665


def heights() -> tuple[xr.Dataset, xr.Dataset]:
    """Forecast and truth of a geopotential with a smooth wave."""
    data, truth = FORECAST[["temperature"]], WORLD[["temperature"]]
    parts = []
    for each in (data, truth):
        wave = 20 * np.cos(np.deg2rad(each.longitude)) * np.cos(np.deg2rad(each.latitude))
        high = (550 + 30 * np.cos(2 * np.deg2rad(each.latitude)) + wave) * 10 * GRAVITY
        noisy = (high + 200 * (each["temperature"] - 260)).transpose(*each["temperature"].dims)
        noisy.attrs["units"] = "m**2 s**-2"
        parts.append(noisy.astype(np.float32).to_dataset(name="geopotential"))
    return parts[0], parts[1]


HEIGHTS, TRUE_HEIGHTS = heights()


def field(run: ForecastRun) -> ForecastField:
    return run.field(run.channels[0])


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every figure, as it is when it is saved."""
    seen: list[Any] = []
    modules = (plot_maps, plot_members, plot_point, plot_probabilities, plot_spectra, plot_wind)
    for module in modules:
        monkeypatch.setattr(module, "save_with_heading", lambda figure, *_: seen.append(figure))
    return seen


def test_the_command_plots_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = HEIGHTS.merge(FORECAST[["mean_sea_level_pressure"]]).isel(level=[0])
    both = both.isel(prediction_timedelta=[0, 2], number=[0, 1])
    both.to_netcdf(tmp_path / "forecast.nc")
    TRUE_HEIGHTS.merge(WORLD[["mean_sea_level_pressure"]]).to_netcdf(tmp_path / "truth.nc")
    out = tmp_path / "out"
    files = [str(tmp_path / "forecast.nc"), "--truth", str(tmp_path / "truth.nc")]
    command(["plot", *files, "--out", str(out), "--leads", "3", "--point", "-33.9", "-151.2"])
    printed = capsys.readouterr().out.split()
    kinds = ["maps", "stamps", "spaghetti", "probabilities", "spectra", "animation", "meteogram"]
    assert [Path(path).name.split("_")[0].split(".")[0] for path in printed] == kinds
    assert sorted(out.iterdir()) == sorted(map(Path, printed))
    for path in printed:
        with Image.open(path) as picture:
            assert min(picture.size) > 300
            assert np.asarray(picture.convert("L")).std() > 10
            count = getattr(picture, "n_frames", 1)
            assert count == (2 if path.endswith("gif") else 1)


@pytest.fixture
def shades(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """All that is shown by colours: values and their scale."""
    seen: list[tuple[Any, Any]] = []
    shade = MapAxis.shade

    def watched(self: MapAxis, values: Any, scale: Any) -> Any:
        seen.append((values, scale))
        return shade(self, values, scale)

    monkeypatch.setattr(MapAxis, "shade", watched)
    return seen


def test_maps_show_mean_spread_and_error(
    shades: list[tuple[Any, Any]], figures: list[Any]
) -> None:
    theirs = other_layout(HEIGHTS.rename(geopotential="temperature")).rename(t="z")
    run = ForecastRun("theirs.nc", theirs, TRUE_HEIGHTS)
    data = field(run)
    assert data.channel == Channel("geopotential", 500)
    plot_maps.plot_maps(data, data.leads[[0, 2]], Rectangle(), Path("unused"))
    chosen = HEIGHTS["geopotential"].sel(time=INITS[1], level=500)
    for row, lead in enumerate((DAY, 3 * DAY)):
        dam = chosen.sel(prediction_timedelta=lead).values.astype(np.float64) / GRAVITY / 10
        truth = TRUE_HEIGHTS["geopotential"].sel(time=INITS[1] + lead, level=500).values
        expected = dam.mean(0), dam.std(0, ddof=1), dam.mean(0) - truth / GRAVITY / 10
        got = [shades[2 * column + row][0] for column in range(3)]
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)
        for column in (1, 2):  # day 1 is as colourful as day 3
            most, highest = np.abs(got[column]).max(), shades[2 * column + row][1].levels[-1]
            assert 0.5 * most < highest < 2 * most
    (figure,) = figures
    titles = {axis.get_title(loc="left") or axis.get_title() for axis in figure.axes}
    assert "day 3 (+72 h), valid Mon 2000-03-13 00 UTC" in titles


def test_spaghetti_lines_lie_where_the_members_have_the_value(figures: list[Any]) -> None:
    run = ForecastRun("f", HEIGHTS.isel(level=[0]))
    data = field(run)
    view = Rectangle(south=-80, north=80, west=0, east=360)
    plot_members.plot_spaghetti(data, data.leads[:1], view, [548.0], Path("unused"))
    dam = next(data.members(data.leads[:1]))
    longitude = np.append(HEIGHTS.longitude.values, 360.0)
    lines = [c for c in figures[0].axes[0].collections if hasattr(c, "levels")]
    mean = dam.mean(0)  # plotted twice, first in white
    for line, values, accuracy in zip(
        lines, [*dam, mean, mean], [0.01] * (len(dam) + 1) + [0.15], strict=True
    ):  # the last is cut for its label
        closed = np.concatenate([values, values[:, :1]], 1)
        at = RegularGridInterpolator((HEIGHTS.latitude.values, longitude), closed)
        points = np.concatenate([path.vertices for path in line.get_paths()])
        inner = (np.abs(points[:, 1]) < 78) & (points[:, 0] >= 0) & (points[:, 0] <= 360)
        assert inner.sum() > 10
        np.testing.assert_allclose(at(points[inner][:, ::-1]), 548.0, atol=accuracy)


def test_default_contours_cross_the_view() -> None:
    data = field(ForecastRun("f", HEIGHTS.isel(level=[0])))
    mean = data.mean_and_spread(data.leads[:1])[0][0]
    low, high = plot_members.default_levels(data, data.leads[0], Rectangle())
    share = [float((data.grid.area() * (mean < value).mean(1)).mean()) for value in (low, high)]
    assert share == pytest.approx([0.3, 0.7], abs=0.12)
    assert low % 4 == 0
    assert high % 4 == 0


def test_the_meteogram_is_that_of_the_nearest_point(figures: list[Any]) -> None:
    run = ForecastRun("f", FORECAST, WORLD)
    wanted = PlotRequest(kinds=["meteogram"], point=(-33.9, -61.0))
    list(ForecastPlots(run, wanted, Path(".")).plot())
    pressure, temperature = figures[0].axes
    assert "hPa" in pressure.get_title(loc="left")
    assert "°C" in temperature.get_title(loc="left")
    at: dict[str, Any] = {"latitude": -33.75, "longitude": 300.0}
    chosen = FORECAST["mean_sea_level_pressure"].sel(time=INITS[1], **at) / 100
    members = chosen.transpose("number", "prediction_timedelta").values
    median, truth = (line.get_ydata() for line in pressure.lines)
    np.testing.assert_allclose(median, np.median(members, 0), rtol=1e-5)
    valid = INITS[1] + np.arange(-2, 4) * DAY  # from two days before the start on
    happened = WORLD["mean_sea_level_pressure"].sel(time=valid, **at).values / 100
    np.testing.assert_allclose(truth, happened, rtol=1e-5)
    fan = pressure.collections[0].get_paths()[0].vertices
    for day in (1, 2, 3):
        ends = fan[fan[:, 0] == day][:, 1]
        expected = members[:, day - 1].min(), members[:, day - 1].max()
        np.testing.assert_allclose([ends.min(), ends.max()], expected, rtol=1e-5)
    warm = FORECAST["temperature"].sel(time=INITS[1], level=850, **at) - 273.15
    np.testing.assert_allclose(temperature.lines[0].get_ydata(), warm.median("number"), rtol=1e-4)


@pytest.mark.parametrize("start", [1, 0])  # the first lead time, in days
def test_the_meteogram_shows_what_has_no_number_at_the_start(
    figures: list[Any], start: int
) -> None:
    leads = FORECAST.prediction_timedelta
    predicted = FORECAST.where(leads > DAY)
    run = ForecastRun("f", predicted.assign_coords(prediction_timedelta=leads - DAY * (1 - start)))
    wanted = PlotRequest(kinds=["meteogram"], point=(-33.9, -61.0))
    list(ForecastPlots(run, wanted, Path(".")).plot())
    pressure, _ = figures[0].axes
    np.testing.assert_allclose(pressure.lines[0].get_xdata(), [1 + start, 2 + start])
    assert np.isfinite(pressure.lines[0].get_ydata()).all()


def test_spectra_obey_parseval(figures: list[Any]) -> None:
    data = field(ForecastRun("f", FORECAST[["mean_sea_level_pressure"]], WORLD))
    plot_spectra.plot_spectra(data, data.leads[:1], (-90.0, 90.0), Path("unused"))
    *members, mean, of_mean, truth = (line.get_ydata() for line in figures[0].axes[0].lines)
    maps = next(data.members(data.leads[:1])).astype(np.float64)
    weight = data.grid.area() / len(data.grid.latitude)
    power = [weight @ each.var(-1) for each in maps]
    np.testing.assert_allclose([line.sum() for line in members], power, rtol=1e-3)
    assert mean.sum() == pytest.approx(np.mean(power), rel=1e-3)
    assert of_mean.sum() == pytest.approx(weight @ maps.mean(0).var(-1), rel=1e-3)
    happened = WORLD["mean_sea_level_pressure"].sel(time=INITS[1] + DAY).values / 100
    assert truth.sum() == pytest.approx(weight @ happened.astype(np.float64).var(-1), rel=1e-3)


def test_the_last_start_that_the_truth_covers_is_plotted() -> None:
    assert ForecastRun("f", FORECAST).start == INITS[1]
    assert (
        ForecastRun("f", FORECAST, WORLD.sel(time=slice(None, INITS[0] + 3 * DAY))).start
        == INITS[0]
    )
    assert ForecastRun("f", FORECAST, time="2000-03-01T00").start == INITS[0]


def test_a_part_of_the_globe_has_every_picture_but_spectra(
    tmp_path: Path, figures: list[Any]
) -> None:
    europe = HEIGHTS.isel(latitude=slice(5, 8), longitude=[10, 11, 0, 1])  # over Greenwich
    run = ForecastRun("f", europe.isel(prediction_timedelta=[0], number=[0, 1]))
    names = [p.name for p in ForecastPlots(run, PlotRequest(), tmp_path).plot()]
    assert not [name for name in names if name.startswith("spectra")]
    assert len(names) == 6
    assert len(figures) == 5  # and an animation
    with pytest.raises(InputError, match="does not go around the globe"):
        ForecastPlots(run, PlotRequest(kinds=["spectra"]), tmp_path)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f.isel(prediction_timedelta=0, drop=True), {}, "expected a forecast with"),
        (lambda f: f, {"variable": ["temperature_580"]}, "Did you mean 'temperature_850'"),
        (lambda f: f, {"time": "2000-03-02"}, "has no initial time 2000-03-02, it has 2 from"),
        (lambda f: f, {"time": "tomorrow?"}, "expected one such as 2003"),
        (lambda f: f, {"leads": [2.5]}, "no lead time of 2.5 days, it has 1, 2, 3"),
        (lambda f: f, {"point": (95.0, 0.0)}, "expected a latitude from -90 to 90"),
        (lambda f: f.isel(longitude=slice(0, 4)), {"point": (0.0, 180.0)}, "covers latitudes"),
        (lambda f: f, {"latitudes": (50.0, 20.0)}, "the southern end, then the northern"),
        (lambda f: f, {"latitudes": (1.0, 2.0)}, "0 rows and 12 columns"),
        (lambda f: f, {"longitudes": (3.0, 3.0)}, "western end, then the eastern"),
        (lambda f: f, {"view": "south", "longitudes": (0.0, 9.0)}, "leave out --view"),
        (lambda f: f, {"contours": [999999.0]}, "Found --contours 999999, but .* goes from"),
        (lambda f: f, {"contours": [1.0, 2.0, 3.0, 4.0, 5.0]}, "expected at most 4"),
        (lambda f: f.where(f.number != 3), {}, "no number in .* of member 3 at day 3"),
        (lambda f: f, {"truth": WORLD.isel(latitude=slice(1, None))}, "regrid one of them"),
        (lambda f: f, {"truth": WORLD[["temperature"]], "variable": ["mean_sea_level_pressure"]},
         "the truth has no mean_sea_level_pressure"),
    ],
)  # fmt: skip
def test_mistakes_get_one_sentence(
    tmp_path: Path,
    change: Callable[[xr.Dataset], xr.Dataset],
    options: dict[str, Any],
    message: str,
) -> None:
    opening = {"variable": (), "time": "", "truth": None}
    truth, variable, time = (options.pop(k, opening[k]) for k in ("truth", "variable", "time"))
    with pytest.raises(InputError, match=message) as error:
        run = ForecastRun("f", change(FORECAST), truth, variable, time)
        next(ForecastPlots(run, PlotRequest(kinds=["spaghetti"], **options), tmp_path).plot())
    assert re.fullmatch(r"[^\n]+[.?]", str(error.value))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="cannot be written .* choose another"):
            ForecastPlots(ForecastRun("f", FORECAST), PlotRequest(), out)


def test_the_grid_point_is_the_nearest_over_the_dateline() -> None:
    grid = Grid(np.array([-60.0, 0.0, 60.0]), np.arange(0.0, 360.0, 45.0))
    assert plot_point.grid_point(grid, (89.0, -10.0)) == (2, 0)
    assert plot_point.grid_point(grid, (10.0, -179.0)) == (1, 4)


def test_a_forecast_is_plotted_by_one_function(tmp_path: Path) -> None:
    made = ensemble(world(), inits=starts(2))
    made.to_netcdf(tmp_path / "made.nc")
    kinds: dict[str, Any] = {"kinds": "spectra", "variables": "t850", "lead_days": 1}
    found = plot(tmp_path / "made.nc", tmp_path, truth=world(), **kinds)
    assert found == [tmp_path / "spectra_temperature_850.png"] and found[0].exists()
    with pytest.raises(InputError, match="Found picture 'map', .*Did you mean 'maps'"):
        plot(made, tmp_path, kinds="map")
    with pytest.raises(InputError, match="Found the view 'europe', expected globe, north or"):
        plot(made, tmp_path, view="europe")
    with pytest.raises(InputError, match="Found a forecast of type DataArray"):
        plot(made["temperature"], tmp_path)  # type: ignore[arg-type]
