"""Files on another grid: means are conserved, and what is written is what is computed."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from refine_core.app.cli import main
from refine_core.errors import InputError
from tests.weather.synthetic import atmosphere, times
from weather.fields.grid import Grid, parse_grid
from weather.fields.regrid import Conservative
from weather.io import regridding
from weather.io.canonical import canonical
from weather.io.files import open_files
from weather.io.regridding import regrid, regrid_file

STATES = atmosphere(times(3))


def mean(dataset: xr.Dataset, name: str, grid: Grid) -> np.ndarray:
    area = xr.DataArray(grid.area(), dims="latitude")
    return np.asarray(dataset[name].weighted(area).mean(("latitude", "longitude")))


@pytest.mark.parametrize("size", ["5x7", "16x40", "9x16"])
def test_means_over_the_globe_are_conserved(size: str) -> None:
    there, here = parse_grid(size), Grid(STATES["latitude"].values, STATES["longitude"].values)
    made = regrid(STATES, there)
    for name in STATES.data_vars:
        before, after = mean(STATES, str(name), here), mean(made, str(name), there)
        np.testing.assert_allclose(after, before, rtol=1e-5)
        assert made[name].dtype == np.float32
        assert made[name].attrs["units"] == STATES[name].attrs["units"]
    assert "regridded conservatively from 8x16 to" in made.attrs["history"]


def test_a_grid_is_named_by_its_size(tmp_path: Path) -> None:
    made = regrid(STATES, parse_grid("4x8"))
    xr.testing.assert_identical(regrid(STATES, "4x8"), made)
    STATES.to_netcdf(tmp_path / "states.nc")
    xr.testing.assert_allclose(regrid(tmp_path / "states.nc", "4x8").load(), made)


def test_the_same_grid_changes_nothing() -> None:
    turned = STATES.isel(latitude=slice(None, None, -1)).assign_coords(
        longitude=(STATES["longitude"] + 180) % 360 - 180
    )
    made = regrid(turned.sortby("longitude"), parse_grid("8x16"))
    for name in STATES.data_vars:
        np.testing.assert_allclose(made[name], STATES[name], rtol=1e-6, atol=1e-5)


def test_a_part_of_the_globe_across_the_meridian() -> None:
    grid = Grid(np.arange(30.5, 60), np.arange(360.0))
    part = Grid(grid.latitude, np.r_[0:40, 340:360].astype(float))
    coarse = Grid(np.arange(33.0, 57, 4), np.array([0.5, 4.5, 8.5, 352.5, 356.5]))
    maps = np.random.default_rng(0).normal(size=(2, 30, 360))
    inside = maps[..., part.longitude.astype(int)]
    np.testing.assert_allclose(
        Conservative(part, coarse)(inside), Conservative(grid, coarse)(maps), rtol=1e-9
    )
    with pytest.raises(InputError, match="beyond the data at longitude 45: choose"):
        Conservative(part, Grid(coarse.latitude, np.array([41.0, 45.0])))
    with pytest.raises(InputError, match="beyond the data at latitude -"):
        Conservative(part, parse_grid("32x64"))


def test_missing_values_count_for_nothing() -> None:
    fine, coarse = parse_grid("8x16"), parse_grid("4x8")
    maps = np.full(fine.shape, 5.0)
    maps[:, 3:6] = np.nan
    there = Conservative(fine, coarse)(maps)
    assert np.isnan(there[:, 2]).all()  # all of it
    np.testing.assert_allclose(there[:, [0, 1, 3, 4]], 5)  # a quarter, or nothing


@pytest.mark.parametrize("suffix", ["zarr", "nc"])
@pytest.mark.parametrize("block", [1, 2**28], ids=["a chunk at a time", "all at once"])
def test_what_is_written_is_what_is_computed(
    tmp_path: Path, suffix: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regridding, "BLOCK", block)
    STATES.chunk(time=5).to_zarr(tmp_path / "a.zarr", zarr_format=3, consolidated=False)
    out, grid = tmp_path / f"b.{suffix}", parse_grid("5x6")
    regrid_file(str(tmp_path / "a.zarr"), grid, out, quiet=True)
    with xr.open_dataset(out, chunks=None) as found:
        expected = regrid(STATES, grid)
        assert found.attrs == expected.attrs
        xr.testing.assert_equal(found.load(), expected)
        assert set(canonical(found)) == set(STATES)
    with pytest.raises(InputError, match="exists: choose another name"):
        regrid_file(str(tmp_path / "a.zarr"), grid, out, quiet=True)
    assert {path.name for path in tmp_path.iterdir()} == {"a.zarr", out.name}


def test_a_forecast_keeps_its_members_and_leads(tmp_path: Path) -> None:
    leads = (np.arange(3) * np.timedelta64(6, "h")).astype("timedelta64[ns]")
    several = STATES.isel(time=[0, 1]).expand_dims(number=2, prediction_timedelta=leads)
    several = several.assign_coords(valid_time=several["time"] + several["prediction_timedelta"])
    several.to_netcdf(tmp_path / "a.nc")
    regrid_file(str(tmp_path / "a.nc"), parse_grid("5x6"), tmp_path / "b.zarr", quiet=True)
    with xr.open_zarr(tmp_path / "b.zarr") as found:
        xr.testing.assert_equal(
            found["geopotential"].load(), regrid(several, parse_grid("5x6"))["geopotential"]
        )
        assert found["valid_time"].dims == ("time", "prediction_timedelta")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    STATES.to_netcdf(tmp_path / "a.nc")
    regrid(STATES, parse_grid("6x10")).to_netcdf(tmp_path / "like.nc")
    words = ["weather", "regrid", str(tmp_path / "a.nc"), "--out", str(tmp_path / "b.nc")]
    main([*words, "--like", str(tmp_path / "like.nc")])
    with xr.open_dataset(tmp_path / "b.nc") as found:
        assert (found.sizes["latitude"], found.sizes["longitude"]) == (6, 10)
    for argv, said in {
        ("--grid", "32"): "Found the grid '32', expected numbers of rows and columns such as",
        (): "Give one of --grid and --like",
        ("--grid", "5x6"): "b.nc exists: choose another name",
    }.items():
        with pytest.raises(SystemExit):
            main([*words, *argv])
        assert said in capsys.readouterr().err


def test_members_are_read_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    made = STATES[["2m_temperature"]].isel(time=slice(3)).expand_dims(number=5).copy(deep=True)
    made["2m_temperature"][:] = generator.normal(size=made["2m_temperature"].shape)
    made["mean_sea_level_pressure"] = STATES["mean_sea_level_pressure"].isel(time=slice(3))
    made.chunk(number=1, time=1).to_zarr(tmp_path / "a.zarr", consolidated=False)
    monkeypatch.setattr(regridding, "BLOCK", 3 * 8 * 16 * 4)
    dataset = canonical(open_files(str(tmp_path / "a.zarr")))
    blocks = list(regridding._blocks(dataset))
    assert len(blocks) == 9 and blocks[1] == {"time": slice(0, 1), "number": slice(2, 4)}
    regrid_file(str(tmp_path / "a.zarr"), parse_grid("4x8"), tmp_path / "b.zarr", quiet=True)
    found = open_files(str(tmp_path / "b.zarr"))
    expected = regrid(made, "4x8")
    for name in expected.data_vars:
        np.testing.assert_allclose(found[name].transpose(*expected[name].dims), expected[name])


def test_chunks_may_differ_between_variables() -> None:
    mixed = STATES.assign({"2m_temperature": STATES["2m_temperature"].chunk(time=5)})
    mixed["mean_sea_level_pressure"] = mixed["mean_sea_level_pressure"].chunk(time=4)
    xr.testing.assert_allclose(regrid(mixed, "4x8").compute(), regrid(STATES, "4x8"))
