"""Forecasts in memory and on disk: the same, from the initial state on, whatever the batch."""

import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from refine_core.errors import InputError
from tests.weather import tiny
from tests.weather.synthetic import atmosphere
from weather.forecast.initial_states import InitialStates
from weather.forecast.run import write_forecast
from weather.io.canonical import canonical
from weather.io.forecast_store import ForecastStore
from weather.io.source import Source
from weather.model import WeatherModel

START = "2000-02-05T00"


@pytest.fixture(scope="module")
def model() -> WeatherModel:
    return tiny.untrained(forcing=())


@pytest.fixture(scope="module")
def made(model: WeatherModel) -> xr.Dataset:
    return model.forecast(atmosphere(), START, members=7, steps=2)


def write(model: WeatherModel, out: Path, **options: Any) -> xr.Dataset:
    initial = InitialStates(Source("The data set", atmosphere()), model)
    usual: dict[str, Any] = {"members": 7, "steps": 2, "quiet": True}
    write_forecast(initial, initial.choose(START), out, **(usual | options))
    with xr.open_dataset(out, chunks=None) as data:
        return data.load()


@pytest.mark.parametrize("name", ["f.zarr", "f.nc"])
def test_memory_and_disk_hold_the_same(
    model: WeatherModel, made: xr.Dataset, tmp_path: Path, name: str
) -> None:
    xr.testing.assert_identical(write(model, tmp_path / name), made)
    assert (made["geopotential"].std("number").isel(prediction_timedelta=1) > 0).any()


def test_members_do_not_depend_on_the_batch_or_on_others(
    model: WeatherModel, made: xr.Dataset
) -> None:
    again = model.forecast(atmosphere(), START, members=7, lead_days=1, batch=1)
    xr.testing.assert_identical(again, made)
    two = model.forecast(atmosphere(), [np.datetime64(START)], members=[6, 2], steps=2)
    xr.testing.assert_equal(two, made.isel(number=[6, 2]))


def test_members_do_not_depend_on_the_number_of_workers(
    model: WeatherModel, made: xr.Dataset, tmp_path: Path
) -> None:
    xr.testing.assert_identical(write(model, tmp_path / "f.zarr", workers=2), made)
    mixed: dict[str, Any] = {"members": [6, 2, 5, 0], "steps": 2, "workers": 2}
    some = model.forecast(atmosphere(), START, **mixed)
    xr.testing.assert_equal(some, made.isel(number=[6, 2, 5, 0]))


@pytest.mark.parametrize("leads", [1, 2])
def test_large_members_are_written_lead_by_lead(
    model: WeatherModel,
    made: xr.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    leads: int,
) -> None:
    monkeypatch.setattr("weather.forecast.run.LARGE", 1)
    chunks = {"prediction_timedelta": leads} if leads > 1 else None
    written = write(model, tmp_path / "f.zarr", chunks=chunks)
    xr.testing.assert_identical(written, made)
    lengths = written["geopotential"].encoding["preferred_chunks"]
    assert lengths["prediction_timedelta"] == leads and lengths["number"] == 1
    mixed = model.forecast(atmosphere(), START, members=[6, 2, 5, 0], steps=2)
    xr.testing.assert_equal(mixed, made.isel(number=[6, 2, 5, 0]))


def test_large_members_that_a_stop_left_unfinished_are_written_again(
    model: WeatherModel, made: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weather.forecast.run.LARGE", 1)
    written, calls = ForecastStore.write, []

    def stopped(store: ForecastStore, *part: Any) -> None:
        calls.append(part)
        if len(calls) == 5:
            raise KeyboardInterrupt
        written(store, *part)

    with monkeypatch.context() as patch:
        patch.setattr(ForecastStore, "write", stopped)
        with pytest.raises(KeyboardInterrupt):
            write(model, tmp_path / "f.zarr")
    marks = sorted(path.name for path in (tmp_path / "f.zarr.partial" / "members").iterdir())
    assert 0 < len(marks) < 7
    xr.testing.assert_identical(write(model, tmp_path / "f.zarr"), made)


def test_times_are_taken_in_all_their_forms(model: WeatherModel) -> None:
    initial = InitialStates.open(atmosphere(), model)
    pair = atmosphere()["time"].sel(time=["2000-02-05T00", "2000-02-05T12"])
    for wanted in (pair, pair.values, list(pair.values), "2000-02-05/2000-02-05T12/12h"):
        assert initial.choose(wanted) == list(pair.values)
    for one in (pair[0], pair.values[0], START, datetime(2000, 2, 5), [START]):
        assert initial.choose(one) == [pair.values[0]]


def test_lead_0_is_the_initial_state(made: xr.Dataset) -> None:
    assert (made["prediction_timedelta"] / np.timedelta64(1, "h")).values.tolist() == [0, 12, 24]
    for member in range(7):
        first = made.isel(time=0, number=member, prediction_timedelta=0)
        for name in made.data_vars:
            np.testing.assert_array_equal(first[name], atmosphere()[name].sel(time=START))


def test_each_member_starts_from_its_own_state(model: WeatherModel) -> None:
    """Three states for seven members: the fourth starts from the first again."""
    states = atmosphere()
    moved = [states, states.roll(longitude=3), states.roll(longitude=8)]
    several = xr.concat(
        [each.assign_coords(longitude=states["longitude"]) for each in moved], "number"
    )
    made = model.forecast(several, START, members=7, steps=2)
    for member in range(7):
        alone = model.forecast(several.isel(number=member % 3), START, members=[member], steps=2)
        xr.testing.assert_equal(made.isel(number=[member]), alone)
    first = made["geopotential"].isel(prediction_timedelta=0)
    np.testing.assert_array_equal(first[:, 3], first[:, 0])
    assert not np.array_equal(first[:, 1], first[:, 0])


def test_an_ensemble_with_a_bad_state_is_refused(model: WeatherModel) -> None:
    states = xr.concat([atmosphere(), atmosphere()], "sample")
    states["2m_temperature"][1] -= 273.15
    with pytest.raises(InputError, match="2m_temperature.*check its units"):
        model.forecast(states, START, steps=1)


def test_states_along_an_unknown_dimension_are_refused(model: WeatherModel) -> None:
    states = xr.concat([atmosphere(), atmosphere()], "scenario")
    with pytest.raises(InputError, match="has .* along 'scenario', of size 2, expected"):
        model.forecast(states, START, steps=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 2, "lead_days": 1.0}, "expected one of them"),
        ({"lead_days": 0.3}, "multiple of the model's step"),
        ({"members": 0}, "expected a count of one or more"),
        ({"members": 10**8, "steps": 1}, "expected at most 1000000 members"),
        ({"steps": -1}, "expected one or more"),
        ({"members": 1.5}, "Found members 1.5, expected a whole number"),
        ({"members": "3"}, "Found members '3', expected a whole number"),
        ({"members": [0, 1.5]}, "Found the member 1.5, expected a whole number"),
        ({"members": 2, "steps": 1.5}, "Found steps 1.5, expected a whole number"),
        ({"members": 2, "steps": 1, "seed": 1.5}, "Found the seed 1.5"),
        ({"members": 2, "steps": 1, "batch": 1.5}, "Found a batch of 1.5"),
        ({"members": 2, "steps": 1, "workers": "x"}, "Found 'x' workers"),
        ({"lead_days": "3"}, "Found lead days '3', expected a number"),
        ({"time": "2000-02-05T01:30"}, "no states at 2000-02-05T01:30"),
        ({"time": 3}, "expected one of UTC"),
    ],
    ids=str,
)
def test_wrong_numbers_are_refused(
    model: WeatherModel, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        model.forecast(atmosphere(), **options)


def test_an_array_in_place_of_a_data_set_gets_a_sentence(model: WeatherModel) -> None:
    with pytest.raises(InputError, match="of type DataArray, expected an xarray.Dataset") as error:
        model.forecast(atmosphere()["temperature"])  # type: ignore[arg-type]
    assert len(str(error.value)) < 200


def test_what_does_not_fit_is_refused_with_its_size(
    model: WeatherModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "sysconf", lambda name: 100)
        with pytest.raises(
            InputError, match="takes 64.5 kB of memory, this process may take 10 kB"
        ):
            model.forecast(atmosphere(), START, members=7, steps=2)
    with monkeypatch.context() as patch:
        full = type("usage", (), {"free": 1000})
        patch.setattr(shutil, "disk_usage", lambda folder: full)
        with pytest.raises(InputError, match="takes 32.3 kB or more on disk.*1 kB left"):
            write(model, tmp_path / "f.zarr")
    assert not list(tmp_path.iterdir())


def test_a_forecast_in_the_layout_of_weatherbench_x(
    model: WeatherModel, made: xr.Dataset, tmp_path: Path
) -> None:
    out, names = tmp_path / "x.zarr", {"time": "init_time", "prediction_timedelta": "lead_time"}
    found = write(model, out, layout="weatherbench-x", chunks={"number": 2, "time": 1})
    xr.testing.assert_identical(found, made.rename(names))
    assert found["geopotential"].dims[:3] == ("init_time", "number", "lead_time")
    assert found["geopotential"].encoding["chunks"][:2] == (1, 2)
    read = canonical(found)  # as every command reads it
    xr.testing.assert_equal(read["geopotential"], canonical(made)["geopotential"])


def test_a_forecast_of_another_layout_is_not_continued(
    model: WeatherModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.zarr"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("weather.forecast.run._roll", _stop)
        write(model, out)
    with pytest.raises(InputError, match="holds part of another forecast"):
        write(model, out, layout="weatherbench-x")


def _stop(*_: object) -> None:
    raise KeyboardInterrupt
