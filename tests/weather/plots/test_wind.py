"""Pictures of the wind, and its speed as a variable."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.quiver import Barbs

from refine_core.errors import InputError
from tests.weather.forecasts import ensemble, starts, world
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.plots import wind as plot_wind
from weather.plots.columns import plot_columns
from weather.plots.forecast_plots import ForecastPlots, PlotRequest, meteogram_channels
from weather.plots.forecast_run import ForecastRun
from weather.plots.map.map_figure import KNOTS, MapAxis
from weather.plots.map.projections import PolarCap, Rectangle, View
from weather.plots.map.wrapped_grid import WrappedGrid

UV = ("u_component_of_wind", "v_component_of_wind")


def winds(data: xr.Dataset) -> xr.Dataset:
    """A wind with a component for each level of the temperature."""
    found = data["temperature"] - 260
    parts = {name: found.isel(level=[i]).assign_coords(level=[850]) for i, name in enumerate(UV)}
    return xr.Dataset({name: part.assign_attrs(units="m s**-1") for name, part in parts.items()})


WORLD = world(years=1)
FORECAST = winds(ensemble(WORLD, inits=starts(1, first="2000-03-01")))
TRUTH = winds(WORLD)


def barbs_on(view: View, wind: tuple[float, float]) -> list[np.ndarray]:
    """Longitude, latitude, and components on the map in knots, of barbs of a uniform wind."""
    grid = Grid(np.arange(-87.5, 90.0, 5.0), np.arange(0.0, 360.0, 5.0))
    axis = Figure(figsize=(4, 4)).add_axes((0, 0, 1, 1))
    values = np.broadcast_to(np.asarray(wind)[:, None, None], (2, *grid.shape))
    MapAxis(axis, view, WrappedGrid(grid, view.centre)).barbs(values, 0.2)
    (found,) = (c for c in axis.collections if isinstance(c, Barbs))
    return [np.asarray(each) for each in (found.x, found.y, found.u, found.v, found.flip)]


def test_barbs_point_along_the_wind_in_every_view() -> None:
    x, y, u, v, flip = barbs_on(Rectangle(), (10.0, 0.0))
    np.testing.assert_allclose(u, 10 * KNOTS)
    np.testing.assert_allclose(v, 0, atol=1e-6)
    assert (np.asarray(flip) == (y < 0)).all()  # towards low pressure in both hemispheres
    gaps = np.hypot(x[:, None] - x, y[:, None] - y)[~np.eye(len(x), dtype=bool)]
    assert gaps.min() >= 0.2 * 360 / 4 - 1e-6
    assert len(x) > 100
    for northern in (True, False):  # a westerly goes around the pole, a southerly along meridians
        turn = 1 if northern else -1
        x, y, u, v, _ = barbs_on(PolarCap(20.0, northern), (10.0, 0.0))
        radius = np.hypot(x, y)
        np.testing.assert_allclose(u, -turn * 10 * KNOTS * y / radius, atol=0.02)
        np.testing.assert_allclose(v, turn * 10 * KNOTS * x / radius, atol=0.02)
        x, y, u, v, _ = barbs_on(PolarCap(20.0, northern), (0.0, 10.0))
        np.testing.assert_allclose(u, -turn * 10 * KNOTS * x / np.hypot(x, y), atol=0.02)


def test_the_wind_is_mean_speed_and_barbs_of_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    panels: list[Any] = []

    def watched(columns: list[Any], *others: Any) -> Any:
        panels.extend(columns)
        return plot_columns(columns, *others)

    monkeypatch.setattr(plot_wind, "save_with_heading", lambda *_: None)
    monkeypatch.setattr(plot_wind, "plot_columns", watched)
    plots = ForecastPlots(ForecastRun("f", FORECAST, TRUTH), PlotRequest(["wind"]), Path("."))
    assert [path.name for path in plots.plot()] == ["wind_850.png"]
    mean, spread, truth = (column.panels[2] for column in panels)  # day 3
    u, v = (FORECAST[n].isel(time=0, prediction_timedelta=2, level=0).values for n in UV)
    np.testing.assert_allclose(mean.shaded, np.hypot(u, v).mean(0), rtol=1e-4)
    np.testing.assert_allclose(mean.wind, [u.mean(0), v.mean(0)], atol=1e-4)
    expected = np.sqrt(u.var(0, ddof=1) + v.var(0, ddof=1))
    np.testing.assert_allclose(spread.shaded, expected, rtol=1e-4)
    happened = TRUTH.sel(time=np.datetime64("2000-03-04"), level=850)
    np.testing.assert_allclose(truth.wind, [happened[n].values for n in UV], atol=1e-4)


def test_speed_is_a_variable_that_forecast_and_truth_have() -> None:
    run = ForecastRun("f", FORECAST, TRUTH, ["wind_speed_850"])
    field = run.field(run.channels[0])
    u, v = (FORECAST[n].isel(time=0, prediction_timedelta=0, level=0).values for n in UV)
    np.testing.assert_allclose(next(field.members(field.leads)), np.hypot(u, v), rtol=1e-5)
    assert field.display.name == "wind speed at 850 hPa"
    assert field.display.unit == "m s⁻¹"
    assert field.truth_at(field.leads[0]) is not None
    channels = ForecastRun("f", FORECAST).channels
    assert meteogram_channels(channels) == [Channel("wind_speed", 850)]


def test_a_wind_needs_both_components(tmp_path: Path) -> None:
    run = ForecastRun("f", FORECAST[[UV[0]]])
    with pytest.raises(InputError, match="no wind with both components"):
        ForecastPlots(run, PlotRequest(["wind"]), tmp_path)
    plots = ForecastPlots(run, PlotRequest(), tmp_path)
    assert not any("wind_850" in path.name for path in plots.plot() if path.name[:4] == "wind")
