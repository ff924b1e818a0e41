"""Maps of a page: they show what is in the forecast, at every place."""

import io

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from refine_core.app.html import Frame
from tests.weather.forecasts import ensemble, starts, world
from weather.fields.channel import Channel
from weather.fields.grid import Grid, equiangular
from weather.fields.regions import Region, parse_region
from weather.plots import map_slider
from weather.plots.forecast_field import lead_name
from weather.plots.forecast_run import ForecastRun
from weather.plots.map_slider import Canvas, forecast_slider, interpolate

WORLD = world(years=1)
FORECAST = ensemble(WORLD, 4, starts(2, "2000-03-01"))
CHANNELS = [Channel("temperature", 500), Channel("temperature", 850)]
REGIONS = [parse_region(name) for name in ("global", "tropics", "europe=35,70,-10,40")]


def pixels(frame: Frame) -> np.ndarray:
    assert isinstance(frame.picture, bytes)
    return np.asarray(Image.open(io.BytesIO(frame.picture)).convert("RGB"))


def test_values_are_exact_at_cells_and_linear_between() -> None:
    grid = equiangular(4, 8)
    values = np.arange(32.0).reshape(4, 8)
    assert np.array_equal(interpolate(values, grid, grid.latitude, grid.longitude), values)
    assert interpolate(values, grid, grid.latitude[:1], np.array([22.5])) == [[0.5]]
    # Across the last meridian values go on with the first; beyond the last row they stay.
    assert interpolate(values, grid, np.array([89.0]), np.array([337.5, -22.5])).tolist() == [
        [27.5, 27.5]
    ]
    part = Grid(np.array([0.0, 10.0]), np.array([0.0, 10.0, 20.0]))
    found = interpolate(np.ones((2, 3)), part, np.array([5.0]), np.array([-5.0, 15.0, 30.0]))
    assert np.isnan(found).tolist() == [[True, False, True]]
    across = Grid(np.array([0.0, 10.0]), np.array([0.0, 20.0, 40.0, 340.0]))
    at = np.array([-30.0, -10.0, 30.0, 100.0, 200.0])
    found = interpolate(np.ones((2, 4)), across, np.array([5.0]), at)
    assert np.isnan(found).tolist() == [[True, False, False, True, True]]


def test_each_choice_has_a_map() -> None:
    run = ForecastRun("mine", FORECAST, WORLD, ["temperature"])
    slider = forecast_slider(run, CHANNELS, REGIONS)
    shown = ["ensemble mean", "truth", "error", "spread", "member 0", "member 1"]
    assert slider.choices == {
        "variable": ["t500", "t850"],
        "shown": shown,
        "region": ["global", "tropics", "europe"],
        "lead time": [lead_name(lead) for lead in run.leads],
    }
    assert len(slider.frames) == 2 * len(shown) * 3 * 3
    frame = slider.frames["t850", "error", "tropics", "day 2 (+48 h)"]
    assert frame.caption.startswith("Temperature at 850 hPa, error: day 2 (+48 h), valid ")
    assert isinstance(frame.legend, str) and ">error in K<" in frame.legend
    sizes = [
        pixels(slider.frames["t500", "truth", region, "day 1 (+24 h)"]).shape[:2]
        for region in ("global", "tropics", "europe")
    ]
    assert sizes == [(220, 440), (49, 440), (308, 440)]


def test_a_map_has_the_colours_of_its_values() -> None:
    run = ForecastRun("mine", FORECAST, WORLD, ["temperature_850"])
    field = run.field(run.channels[0])
    lead = run.leads[:1]
    mean = next(iter(field.members(lead))).mean(0)
    scale = field.display.scale(mean)
    canvas = Canvas(Region("global", -90, 90), field.grid)
    places = canvas.places(mean, scale)
    picture = pixels(Frame(canvas.picture(mean, scale), ""))
    colours = [picture[places == place] for place in np.unique(places)]
    assert len({tuple(each[0]) for each in colours}) == len(colours) > 5
    assert all((each == each[0]).all() for each in colours)
    rows = np.rint((90 - field.grid.latitude) * 440 / 360 - 0.5).astype(int)
    columns = np.rint(((field.grid.longitude + 180) % 360) * 440 / 360 - 0.5).astype(int)
    found = places[rows][:, columns]
    expected = np.digitize(mean, scale.levels)
    coast = found == len(scale.levels) + 1
    assert 0 < coast.mean() < 0.3
    # A pixel lies up to half a pixel beside the centre of a cell.
    assert (np.abs(found - expected)[~coast] <= 1).all()
    assert (found == expected)[~coast].mean() > 0.8


def test_a_single_forecast_has_no_spread() -> None:
    single = FORECAST.isel(number=0, drop=True)
    slider = forecast_slider(ForecastRun("one", single), CHANNELS[:1], REGIONS[:1])
    assert slider.choices["shown"] == ["forecast"]


def test_few_bytes_take_fewer_lead_times(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ForecastRun("mine", ensemble(WORLD, 2, starts(1, "2000-03-01"), leads=8))
    slider = forecast_slider(run, CHANNELS[:1], REGIONS[:1])
    assert len(slider.choices["lead time"]) == 8
    size = sum(len(f.picture) for f in slider.frames.values() if isinstance(f.picture, bytes))
    monkeypatch.setattr(map_slider, "BYTES", size)
    fewer = forecast_slider(run, CHANNELS[:1], REGIONS[:1]).choices["lead time"]
    assert [name.split(" (")[0] for name in fewer] == ["day 2", "day 4", "day 6", "day 8"]


def test_what_has_no_value_at_the_start_has_maps_of_later_times() -> None:
    start = FORECAST.isel(prediction_timedelta=[0])
    start = start.assign_coords(prediction_timedelta=start.prediction_timedelta * 0)
    data = xr.concat([start * np.nan, FORECAST], "prediction_timedelta")
    run = ForecastRun("mine", data, WORLD, ["temperature"])
    assert run.field(CHANNELS[0]).leads.tolist() == run.leads[1:].tolist()
    keys = forecast_slider(run, CHANNELS, REGIONS).frames
    assert not any("initial" in " ".join(key) for key in keys) and keys
