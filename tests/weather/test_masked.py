"""Variables without values in some cells, such as sea surface temperature over land."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from refine_core.errors import InputError
from tests.weather import tiny
from tests.weather.synthetic import atmosphere, config
from weather.calibration.search import calibrate
from weather.data.preparation import prepare
from weather.data.prepared import Prepared
from weather.forecast.initial_states import InitialStates
from weather.model import WeatherModel, load
from weather.plots.forecast_plots import plot
from weather.training.run import train

WARM, SUN = "2m_temperature", "toa_incident_solar_radiation"


def cells() -> np.ndarray:
    """(8, 16) where the masked variables have no values: land, and all of a latitude."""
    absent = atmosphere()["land_sea_mask"].values > 0.5
    absent[0] = True
    return np.asarray(absent)


def sea(**changes: Any) -> xr.Dataset:
    """The atmosphere with values of two variables over the sea only."""
    made = atmosphere()
    return made.assign({name: made[name].where(~cells()) for name in (WARM, SUN)}, **changes)


@pytest.fixture(scope="module")
def data(folder: Path) -> Prepared:
    path = folder / "sea.zarr"
    if not path.exists():
        sea().chunk(time=25).to_zarr(path, zarr_format=3, consolidated=False)
    return prepare(config(path, masked=(WARM, SUN)), folder / "sea", quiet=True)


@pytest.fixture(scope="module")
def model(folder: Path, data: Prepared) -> WeatherModel:
    made = replace(tiny.config(folder), name="masked", data=data.config)
    train(made, folder, quiet=True)
    return load(folder / "masked")


def test_statistics_are_those_of_cells_with_values(data: Prepared) -> None:
    assert data.absent is not None
    place = [channel.name for channel in data.channels].index(WARM)
    assert np.array_equal(data.absent[place], cells()) and np.array_equal(data.absent[-1], cells())
    assert not data.absent[:place].any()
    known = data.states[data.parts.inside("train"), place]
    weight = np.where(np.isnan(known), 0, data.grid.area()[:, None])
    mean = np.average(np.nan_to_num(known), weights=weight)
    std = np.sqrt(np.average((np.nan_to_num(known) - mean) ** 2, weights=weight))
    assert np.isclose(data.statistics.mean[place], mean)
    assert np.isclose(data.statistics.std[place], std)


def test_forecasts_have_values_where_the_data_have_them(model: WeatherModel) -> None:
    made = model.forecast(sea(), "2000-02-06", members=3, steps=2, workers=1)
    assert np.array_equal(np.isnan(made[WARM]), np.broadcast_to(cells(), made[WARM].shape))
    others = made.drop_vars(WARM)
    assert all(bool(np.isfinite(values).all()) for values in others.data_vars.values())
    assert float(made[WARM].isel(prediction_timedelta=2).std("number").max()) > 0


def test_masked_cells_play_no_part(model: WeatherModel) -> None:
    states = InitialStates.open(sea(), model)
    initial, sun = states.states("2000-02-06"), states.forcing("2000-02-06", 1)
    assert sun is not None
    absent = cells()
    changed, place = np.nan_to_num(initial, nan=400.0), 4
    assert np.isnan(initial[:, place]).any()
    options: dict[str, Any] = {"members": 1, "steps": 1}
    (one,) = model.rollout(initial, "2000-02-06", forcing=sun, **options)
    (other,) = model.rollout(changed, "2000-02-06", forcing=np.nan_to_num(sun), **options)
    assert torch.equal(one.values.nan_to_num(), other.values.nan_to_num())
    assert bool(one.values[0, place, torch.from_numpy(absent)].isnan().all())
    initial[-1, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="not finite in geopotential_500"):
        model.rollout(initial, "2000-02-06", forcing=sun, **options)


def test_pictures_leave_out_what_needs_all_cells(model: WeatherModel, tmp_path: Path) -> None:
    made = model.forecast(sea(), "2000-02-06", members=2, steps=1, workers=1)
    drawn = plot(made, tmp_path, kinds=(), variables=WARM)
    names = [path.name for path in drawn]
    assert f"maps_{WARM}.png" in names and f"spectra_{WARM}.png" not in names
    with pytest.raises(InputError, match="no number .* in 2m_temperature .*leave out"):
        plot(made, tmp_path, kinds="spectra", variables=WARM)


def test_states_are_missing_where_those_of_the_training_are(model: WeatherModel) -> None:
    more = sea()
    more[WARM][150, 4, 8:] = np.nan
    for wrong in (more, atmosphere()):
        with pytest.raises(InputError, match="2m_temperature: missing .NaN. in other cells at"):
            model.forecast(wrong, wrong.time.values[150], members=1, steps=1, workers=1)


def test_training_learns_nothing_of_masked_cells(model: WeatherModel, data: Prepared) -> None:
    scale = model.forecaster.get_buffer("scale")
    assert scale[4, 0, 0] == 1 and bool((scale > 0).all())
    best, rows = calibrate(model, data, rounds=1, starts=2, members=4, steps=2, quiet=True)
    assert all(np.isfinite(value) for row in rows for value in row.values())
    assert all(bool(x.isfinite().all()) for x in best.forecaster.correction.state_dict().values())


def test_what_is_missing_is_found_before_training(tmp_path: Path) -> None:
    def refused(made: xr.Dataset, masked: tuple[str, ...]) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.nc"
        made.to_netcdf(path)
        with pytest.raises(InputError) as caught:
            prepare(config(path, masked=masked), tmp_path / "data", quiet=True)
        return str(caught.value)

    text = refused(sea(), ())
    assert "2m_temperature: missing (NaN)" in text and "name it in `masked`" in text
    changing = sea()
    changing[WARM][60, 3, 8:] = np.nan
    text = refused(changing, (WARM, SUN))
    assert "2m_temperature: missing (NaN) in other cells at 2000-01-16" in text
    assert SUN not in text
    nothing = atmosphere()
    nothing[WARM] = nothing[WARM] * np.nan
    assert "2m_temperature: missing (NaN) or infinite" in refused(nothing, (WARM,))
    assert "data.masked: sst is no variable" in refused(sea(), (WARM, SUN, "sst"))
