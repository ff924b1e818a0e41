"""Whatever a source is stored as, it comes in as one form; what is damaged is named."""

import functools
import sys
import threading
import types
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from refine_core.errors import InputError
from tests.weather.synthetic import atmosphere, times
from tests.weather.synthetic import config as data_config
from weather.data.checks import variable_problems
from weather.fields.channel import Channel
from weather.io import files
from weather.io.canonical import canonical, grid_of
from weather.io.files import open_files
from weather.io.forecasts import (
    as_forecast,
    as_states,
    chosen_channels,
    chosen_leads,
    known_channels,
)
from weather.io.source import Source

HERE = atmosphere(times(6))


def same(found: xr.Dataset, expected: xr.Dataset, rtol: float = 1e-6) -> None:
    assert set(found.data_vars) == set(expected.data_vars)
    for name, array in expected.data_vars.items():
        assert found[name].dims == array.dims, name
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name].values, array.values, rtol, 1e-6, err_msg=str(name))
        assert found[name].attrs["units"] == array.attrs["units"]
    for name in ("time", "level", "latitude", "longitude"):
        np.testing.assert_allclose(
            found[name].values.astype(float), expected[name].values.astype(float), 1e-12
        )


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("consolidated", [True, False])
@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_zarr(tmp_path: Path, version: int, consolidated: bool) -> None:
    path = tmp_path / "states.zarr"
    HERE.chunk(time=5).to_zarr(path, zarr_format=version, consolidated=consolidated)
    found = Source.open(str(path)).dataset
    assert found["geopotential"].chunks is not None  # lazy
    same(found, HERE)


def test_netcdf_file_folder_and_pattern(tmp_path: Path) -> None:
    HERE.to_netcdf(tmp_path / "whole.nc")
    folder = tmp_path / "days"
    folder.mkdir()
    HERE.isel(time=slice(0, 9)).to_netcdf(folder / "a.nc")
    HERE.isel(time=slice(9, None)).to_netcdf(folder / "b.nc")
    for path in (tmp_path / "whole.nc", folder, folder / "*.nc"):
        found = Source.open(str(path)).dataset
        assert found["geopotential"].chunks is not None
        same(found, HERE)


def test_files_of_one_variable_each(tmp_path: Path) -> None:
    for name in HERE.data_vars:
        HERE[[name]].to_netcdf(tmp_path / f"{name}.nc")
    same(Source.open(str(tmp_path)).dataset, HERE)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_zarr_behind_a_url(tmp_path: Path, url: str, version: int) -> None:
    HERE.chunk(time=5).to_zarr(tmp_path / "s.zarr", zarr_format=version, consolidated=True)
    same(Source.open(f"{url}/s.zarr").dataset, HERE)
    with pytest.raises(InputError, match="other.zarr cannot be read"):
        Source.open(f"{url}/other.zarr")


def test_netcdf_behind_a_url(tmp_path: Path, url: str) -> None:
    HERE.to_netcdf(tmp_path / "s.nc")
    same(Source.open(f"{url}/s.nc").dataset, HERE)


def foreign() -> xr.Dataset:
    """The same states as others would write them."""
    data = HERE.rename(
        {
            "geopotential": "zg",
            "temperature": "T",
            "2m_temperature": "t2m",
            "mean_sea_level_pressure": "msl",
            "land_sea_mask": "lsm",
            "geopotential_at_surface": "z",
            "toa_incident_solar_radiation": "tisr",
            "latitude": "lat",
            "longitude": "lon",
            "level": "plev",
            "time": "valid_time",
        }
    )
    for name, units, factor, summand in (
        ("zg", None, 1 / 9.80665, 0),
        ("T", "degC", 1, -273.15),
        ("t2m", "°C", 1, -273.15),
        ("msl", "hPa", 0.01, 0),
        ("lsm", "%", 100, 0),
        ("tisr", "J/m^2", 1, 0),
    ):
        data[name] = data[name].astype(float) * factor + summand
        data[name].attrs = {"units": units} if units else {}
    data = data.assign_coords(plev=("plev", data["plev"].values * 100.0, {"units": "Pa"}))
    data = data.isel(lat=slice(None, None, -1), plev=slice(None, None, -1))
    data = data.assign_coords(lon=(data["lon"] + 180) % 360 - 180).sortby("lon")
    return data.assign_coords(expver=("valid_time", ["0001"] * data.sizes["valid_time"]))


def test_other_names_units_and_orders(tmp_path: Path) -> None:
    foreign().to_netcdf(tmp_path / "f.nc")
    same(Source.open(str(tmp_path / "f.nc")).dataset, HERE, 1e-5)


def test_a_repeated_meridian_is_dropped() -> None:
    again = HERE.isel(longitude=[0]).assign_coords(longitude=[360.0])
    doubled = xr.concat([HERE, again], "longitude", data_vars="minimal")
    assert doubled.sizes["longitude"] == 17
    same(canonical(doubled), HERE)


def test_single_level_members_and_leads() -> None:
    forecast = HERE.isel(level=0).rename(time="step")
    forecast = forecast.assign_coords(
        step=("step", np.arange(forecast.sizes["step"]) * 6, {"units": "hours"}),
        time=np.datetime64("2000-01-01", "ns"),
    )
    forecast = forecast.expand_dims(realization=[0, 1])
    found = canonical(forecast)
    assert found["geopotential"].dims == (
        *("number", "prediction_timedelta", "level"),
        *("latitude", "longitude"),
    )
    assert "level" not in found["2m_temperature"].dims
    assert found["prediction_timedelta"].values[1] == np.timedelta64(6, "h")
    assert found["time"].values == np.datetime64("2000-01-01")


def test_units_that_are_not_declared_stay() -> None:
    data = HERE.copy()
    data["2m_temperature"] = data["2m_temperature"] - 273.15
    data["2m_temperature"].attrs = {}
    found = canonical(data)["2m_temperature"]
    np.testing.assert_array_equal(found.values, data["2m_temperature"].values)
    assert "units" not in found.attrs


def test_fields_and_grid() -> None:
    wanted = [Channel("temperature", 850), Channel("2m_temperature")]
    maps = Source("", HERE).maps(wanted)
    assert maps.dims == ("time", "channel", "latitude", "longitude")
    assert maps["channel"].values.tolist() == ["temperature_850", "2m_temperature"]
    np.testing.assert_array_equal(maps.values[:, 0], HERE["temperature"].sel(level=850).values)
    assert Source("", HERE).grid.shape == (8, 16)
    for absent in (Channel("temperature", 300), Channel("2m_temperature", 500), Channel("sst")):
        with pytest.raises(InputError, match=f"no {absent.name}"):
            Source("", HERE).maps([absent])


def test_grib_kinds_of_levels_come_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what cfgrib hands over, for it may not be installed."""
    upper = HERE[["geopotential", "temperature"]].rename(level="isobaricInhPa")
    upper = upper.rename(geopotential="z", temperature="t").isel(latitude=slice(None, None, -1))
    single: dict[str, Any] = {"step": np.timedelta64(0, "ns"), "number": 0}
    kinds = [
        upper.assign_coords(single),
        HERE[["2m_temperature"]].rename({"2m_temperature": "t2m"}),
        HERE[["mean_sea_level_pressure"]].rename({"mean_sea_level_pressure": "prmsl"}),
    ]
    kinds[0] = kinds[0].assign_coords(valid_time=kinds[0]["time"])
    kinds[1] = kinds[1].assign_coords(single | {"heightAboveGround": 2.0})
    kinds[2] = kinds[2].assign_coords(single | {"meanSea": 0.0})
    kinds[1:] = [kind.sortby("latitude", ascending=False) for kind in kinds[1:]]
    fake = types.ModuleType("cfgrib")
    fake.open_datasets = lambda path, **options: kinds  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cfgrib", fake)
    monkeypatch.setattr(files, "find_spec", lambda name: name)
    (tmp_path / "a.grib2").write_bytes(b"GRIB")
    names = ["geopotential", "temperature", "2m_temperature", "mean_sea_level_pressure"]
    same(Source.open(str(tmp_path / "a.grib2")).dataset, HERE[names])
    kinds[0] = kinds[0].isel(isobaricInhPa=0)
    one = Source.open(str(tmp_path / "a.grib2")).dataset
    assert one["geopotential"].dims == ("time", "level", "latitude", "longitude")
    assert one["level"].values.tolist() == [500]


@pytest.mark.parametrize("dimension", ["time", "latitude"])
def test_an_empty_dimension_is_named(tmp_path: Path, dimension: str) -> None:
    path = tmp_path / "empty.nc"
    atmosphere().isel({dimension: slice(0)}).to_netcdf(path)
    with pytest.raises(InputError, match=f"no value along {dimension}, expected one or more"):
        Source.open(str(path))


def with_short_names(states: xr.Dataset) -> xr.Dataset:
    """z500, t850 and the like in place of variables on levels; msl and t2m."""
    upper = {"z": "geopotential", "t": "temperature"}
    named = {
        f"{short}{level}": states[name].sel(level=level, drop=True)
        for short, name in upper.items()
        for level in states["level"].values
    }
    flat = states.drop_vars([*upper.values(), "level"]).assign(named)
    return flat.rename({"mean_sea_level_pressure": "msl", "2m_temperature": "t2m"})


def test_levels_in_names_become_a_dimension(tmp_path: Path) -> None:
    with_short_names(HERE).to_netcdf(tmp_path / "short.nc")
    found = Source.open(str(tmp_path / "short.nc"))
    assert found.dataset["geopotential"].chunks is not None  # lazy
    same(found.dataset, HERE)
    heights = with_short_names(HERE).rename(z500="gh_500hPa").drop_vars("z850")
    heights["gh_500hPa"] = heights["gh_500hPa"].drop_attrs() / 9.80665
    metres = canonical(heights)["geopotential"].sel(level=500)
    np.testing.assert_allclose(metres, HERE["geopotential"].sel(level=500), 1e-5)


def test_levels_that_a_variable_lacks_are_not_offered() -> None:
    found = canonical(with_short_names(HERE).drop_vars("t500"))
    names = {channel.name for channel in known_channels(found)}
    assert {"geopotential_500", "geopotential_850", "temperature_850"} < names
    assert "temperature_500" not in names
    source = Source("here", found)
    problem = next(variable_problems(source, data_config(), "temperature"))
    assert problem.startswith("temperature: not at 500 hPa, only at 850 hPa")


def test_winds_at_heights_are_on_no_level() -> None:
    about = {"long_name": "100 metre U wind component", "units": "m s**-1"}
    winds = HERE[["2m_temperature"]].rename({"2m_temperature": "u100"})
    winds["u100"].attrs = about
    assert list(canonical(winds).data_vars) == ["u100"]
    winds["u100"].attrs = {}
    assert canonical(winds)["u_component_of_wind"].sizes["level"] == 1
    assert list(canonical(winds.rename(u100="u10")).data_vars) == ["10m_u_component_of_wind"]


@pytest.mark.parametrize("alias", ["sample", "realization", "ens", "Member"])
def test_members_by_any_name(alias: str) -> None:
    lead = np.timedelta64(1, "D").astype("timedelta64[ns]")
    several = HERE.expand_dims({alias: 3, "step": [lead]})
    assert as_forecast(several, "here").sizes["number"] == 3


def test_short_names_are_understood_where_variables_are_chosen() -> None:
    chosen = chosen_channels(HERE, HERE, "a", "b", ["z500", "t", "msl", "t2m"])
    assert {channel.name for channel in chosen} == {
        *("geopotential_500", "temperature_500", "temperature_850"),
        *("mean_sea_level_pressure", "2m_temperature"),
    }
    with pytest.raises(InputError, match="a has no variable 'geopotential_300'"):
        chosen_channels(HERE, HERE, "a", "b", ["z300"])


@pytest.mark.parametrize("along", [True, False])
def test_a_single_lead_time_is_added_to_times(along: bool) -> None:
    step = np.timedelta64(12, "h").astype("timedelta64[ns]")
    made = HERE.expand_dims(step=[step]) if along else HERE.assign_coords(step=step)
    assert np.array_equal(Source.of(made, "states").times, HERE["time"].values + step)
    one = as_states(made.isel(time=0), "The truth")
    assert one["time"].values.tolist() == (HERE["time"].values[:1] + step).tolist()
    with pytest.raises(InputError, match="The truth has no times"):
        as_states(HERE.isel(time=0, drop=True), "The truth")


@pytest.mark.parametrize(
    ("units", "minutes"), [("h", 60), ("hours", 60), ("days", 1440), ("minutes", 1), ("s", 1 / 60)]
)
def test_units_of_lead_times(units: str, minutes: float) -> None:
    data = HERE.isel(time=[0]).expand_dims(step=[60, 120])
    data["step"].attrs["units"] = units
    found = canonical(data)["prediction_timedelta"].values / np.timedelta64(1, "m")
    np.testing.assert_allclose(found, [60 * minutes, 120 * minutes])


@pytest.mark.parametrize("units", ["months", "milliseconds", ""])
def test_other_units_of_lead_times_are_refused(units: str) -> None:
    data = HERE.isel(time=[0]).expand_dims(step=[1, 2])
    data["step"].attrs["units"] = units
    with pytest.raises(InputError, match="expected a time difference"):
        as_forecast(data, "forecast")


def test_leads_are_found_to_the_minute_and_each_once() -> None:
    leads = np.arange(4) * np.timedelta64(30, "m").astype("timedelta64[ns]")
    assert chosen_leads(leads, [0.0208, 0.0417], "forecast").tolist() == leads[1:3].tolist()
    with pytest.raises(InputError, match="no lead time of 0.01 days"):
        chosen_leads(leads, [0.01], "forecast")
    twice = HERE.isel(time=[0]).expand_dims(step=[np.timedelta64(1, "D").astype("m8[ns]")] * 2)
    with pytest.raises(InputError, match="a lead time twice"):
        as_forecast(twice, "forecast")


def test_what_is_no_grid_or_path_is_refused() -> None:
    with pytest.raises(InputError, match="a grid of 1 latitudes"):
        grid_of(canonical(HERE.isel(latitude=[3])))
    with pytest.raises(InputError, match="Found no path of data"):
        Source.open("")
    levels = HERE.isel(level=0, drop=True).assign_coords(level=("time", np.arange(24)))
    with pytest.raises(InputError, match="found levels along time"):
        canonical(levels)


def test_a_selection_of_levels_offers_these() -> None:
    named = HERE[["2m_temperature"]].assign(
        {f"z{level}": HERE["geopotential"].sel(level=level, drop=True) for level in (500, 850)}
    )
    chosen = canonical(named).sel(level=[500])
    assert [c.name for c in known_channels(chosen) if c.level] == ["geopotential_500"]


def test_the_given_data_set_is_not_changed() -> None:
    data = HERE[["2m_temperature"]].assign(orog=HERE["land_sea_mask"].assign_attrs(units=None))
    del data["orog"].attrs["units"]
    canonical(data)
    assert "units" not in data["orog"].attrs


def test_files_are_read_in_parts_of_all_dimensions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = np.zeros((2, 6, 4, 8, 16), np.float32)
    dims = ("init_time", "sample", "lead_time", "lat", "lon")
    data = xr.Dataset({"t2m": (dims, maps)}, {"lat": np.arange(8), "lon": np.arange(16)})
    stored = {"t2m": {"chunksizes": (1, 2, 1, 8, 16)}}
    data.to_netcdf(tmp_path / "a.nc", encoding=stored)
    monkeypatch.setattr(files, "CHUNK", 4 * 4 * 8 * 16 * 4)
    chunks = open_files(str(tmp_path / "a.nc"))["t2m"].chunks
    assert chunks is not None and chunks[0] == (1, 1) and chunks[3:] == ((8,), (16,))
    assert chunks[1] == (4, 2) and chunks[2] == (4,)
