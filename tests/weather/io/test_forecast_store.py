"""A forecast on disk: complete, or clearly not."""

import filecmp
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

import refine_core
from refine_core.errors import InputError
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.io.canonical import canonical
from weather.io.forecast_layout import parse_chunks
from weather.io.forecast_store import ForecastStore

GRID = Grid(np.linspace(-90, 90, 5), 45.0 * np.arange(8))
CHANNELS = [
    Channel("geopotential", 500),
    Channel("geopotential", 850),
    Channel("mean_sea_level_pressure"),
]
TIMES = np.array(["2003-11-01", "2003-11-03T12"], "datetime64[ns]")
MEMBERS, LEADS = 3, (24, 48)


def begin(path: Path, **changes: Any) -> ForecastStore:
    settings: dict[str, Any] = {
        "grid": GRID,
        "channels": CHANNELS,
        "times": TIMES,
        "members": MEMBERS,
        "leads": LEADS,
        "identity": {"model": "tiny", "seed": 0},
    }
    return ForecastStore.open(path, **(settings | changes))


def states(time: int, members: list[int]) -> NDArray[np.float32]:
    shape = (len(LEADS), len(CHANNELS), *GRID.shape)
    parts = [np.random.default_rng([time, m]).normal(size=shape) for m in members]
    return np.stack(parts).astype(np.float32)


def fill(store: ForecastStore, members: list[int] | None = None) -> None:
    for time in range(len(TIMES)):
        store.write(time, members or [0, 1, 2], states(time, members or [0, 1, 2]))


def same_files(a: Path, b: Path) -> bool:
    """Whether two folders hold the same, byte by byte."""

    def same(tree: filecmp.dircmp[str]) -> bool:
        _, differ, failed = filecmp.cmpfiles(tree.left, tree.right, tree.common_files, False)
        alike = not (tree.left_only or tree.right_only or differ or failed)
        return alike and all(same(below) for below in tree.subdirs.values())

    return same(filecmp.dircmp(a, b))


def test_it_opens_without_a_warning_and_holds_what_was_written(tmp_path: Path) -> None:
    store = begin(tmp_path / "a.zarr")
    fill(store)
    store.finish()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = xr.open_zarr(tmp_path / "a.zarr").load()
        xr.open_dataset(tmp_path / "a.zarr", engine="zarr").close()
    assert dataset["geopotential"].dims == (
        *("time", "number", "prediction_timedelta", "level", "latitude", "longitude"),
    )
    assert dataset["valid_time"].dims == ("time", "prediction_timedelta")
    late = dataset.isel(time=1, prediction_timedelta=1)
    assert late["valid_time"] == TIMES[1] + np.timedelta64(48, "h")
    expected = states(1, [0, 1, 2])
    np.testing.assert_array_equal(late["geopotential"].sel(level=850), expected[:, 1, 1])
    np.testing.assert_array_equal(late["mean_sea_level_pressure"], expected[:, 1, 2])
    assert dataset["mean_sea_level_pressure"].attrs["units"] == "Pa"
    assert dataset.attrs["model"] == "tiny"
    assert canonical(dataset)["geopotential"].shape == (2, 3, 2, 2, *GRID.shape)


def test_a_chunk_is_a_member(tmp_path: Path) -> None:
    store = begin(tmp_path / "a.zarr")
    fill(store)
    chunks = xr.open_zarr(store.partial, consolidated=False)["geopotential"].encoding["chunks"]
    assert chunks == (1, 1, 2, 2, *GRID.shape)


def test_chunks_are_as_asked_for_and_hold_the_same(tmp_path: Path) -> None:
    for name, chunks in (("a", {}), ("b", {"number": 2, "prediction_timedelta": 1, "level": 9})):
        store = begin(tmp_path / f"{name}.zarr", chunks=chunks)
        fill(store)
        store.finish()
    with xr.open_zarr(tmp_path / "a.zarr") as a, xr.open_zarr(tmp_path / "b.zarr") as b:
        assert b["geopotential"].encoding["chunks"] == (1, 2, 1, 2, *GRID.shape)
        xr.testing.assert_identical(a.load(), b.load())
    begin(tmp_path / "c.zarr")
    with pytest.raises(InputError, match="part of another forecast"):
        begin(tmp_path / "c.zarr", chunks={"level": 1})


@pytest.mark.parametrize("word", ["number", "number=0", "number=-1", "height=1", "lead=some"])
def test_other_chunks_are_refused(word: str) -> None:
    with pytest.raises(InputError, match=f"Found --chunks {word}, expected one of time, number"):
        parse_chunks([word])


def test_rounded_values_are_near_and_small(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(3, 2, 3, *GRID.shape)).astype(np.float32)
    sizes = []
    for name, quanta in (("a", ()), ("b", (0.25, 0.5, 0.125))):
        store = begin(tmp_path / f"{name}.zarr", quanta=quanta)
        for time in range(len(TIMES)):
            store.write(time, [0, 1, 2], values)
        store.finish()
        files = (tmp_path / f"{name}.zarr").rglob("c/*/*/**/*")
        sizes.append(sum(file.stat().st_size for file in files if file.is_file()))
    with xr.open_zarr(tmp_path / "b.zarr") as data:
        height, pressure = data["geopotential"].load(), data["mean_sea_level_pressure"].load()
    assert height.attrs["quanta"] == [0.25, 0.5] and pressure.attrs["quanta"] == [0.125]
    for found, place, quantum in (
        (height.isel(level=1), 1, 0.5),
        (pressure, 2, 0.125),
    ):
        assert (found % quantum == 0).all()
        assert np.abs(found[0].values - values[:, :, place]).max() <= quantum / 2
    assert sizes[1] < sizes[0] / 2


def test_two_processes_do_not_write_one_store(tmp_path: Path) -> None:
    source = f"""
from pathlib import Path
from tests.weather.io.test_forecast_store import begin, fill
store = begin(Path({str(tmp_path)!r}) / "a.zarr")
print("begun", flush=True)
input()
fill(store)
store.finish()
"""
    command = [sys.executable, "-c", source]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, cwd=root) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "begun\n"
        with pytest.raises(InputError, match="Another process is writing .*a.zarr: wait"):
            begin(tmp_path / "a.zarr")
        with pytest.raises(InputError, match="Another process is writing"):
            begin(tmp_path / "a.zarr", overwrite=True)
        other.communicate("\n")
    with xr.open_zarr(tmp_path / "a.zarr") as data:
        assert np.isfinite(data["geopotential"]).all()


def test_a_killed_process_leaves_a_store_that_goes_on(tmp_path: Path) -> None:
    source = f"""
import os
from pathlib import Path
from tests.weather.io.test_forecast_store import begin, states
store = begin(Path({str(tmp_path)!r}) / "a.zarr")
store.write(0, [1], states(0, [1]))
os._exit(9)
"""
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", source], cwd=root, check=False).returncode == 9
    assert begin(tmp_path / "a.zarr").pending() == [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_a_continued_store_has_the_same_bytes(tmp_path: Path) -> None:
    whole = begin(tmp_path / "whole.zarr")
    fill(whole)
    whole.finish()
    begin(tmp_path / "part.zarr").write(0, [1], states(0, [1]))
    assert not (tmp_path / "part.zarr").exists()
    again = begin(tmp_path / "part.zarr")
    assert again.pending() == [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2)]
    for time, member in again.pending():
        again.write(time, [member], states(time, [member]))
    again.finish()
    assert same_files(tmp_path / "whole.zarr", tmp_path / "part.zarr")


def test_a_member_without_its_mark_is_written_again(tmp_path: Path) -> None:
    store = begin(tmp_path / "a.zarr")
    fill(store)
    (store.partial.parent / "members" / "1.2").unlink()  # as a kill in the middle leaves it
    assert begin(tmp_path / "a.zarr").pending() == [(1, 2)]


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    store = begin(path)
    with pytest.raises(InputError, match="part of another forecast"):
        begin(path, identity={"model": "tiny", "seed": 1})
    fill(store)
    store.finish()
    with pytest.raises(InputError, match="exists: choose another name, or give --overwrite"):
        begin(path)
    other = begin(path, members=1, overwrite=True)
    assert xr.open_zarr(path).sizes["number"] == MEMBERS  # until the new one is complete
    fill(other, [0])
    other.finish()
    assert xr.open_zarr(path).sizes["number"] == 1
    assert {p.name for p in tmp_path.iterdir()} == {"a.zarr"}
    with pytest.raises(InputError, match="end in .zarr"):
        begin(tmp_path / "a.grib")


def test_netcdf_holds_the_same(tmp_path: Path) -> None:
    for name in ("a.zarr", "a.nc"):
        store = begin(tmp_path / name)
        fill(store)
        store.finish()
    assert {path.name for path in tmp_path.iterdir()} == {"a.zarr", "a.nc"}
    shutil.copy(tmp_path / "a.nc", tmp_path / "b.nc")
    with xr.open_dataset(tmp_path / "b.nc") as a, xr.open_zarr(tmp_path / "a.zarr") as b:
        xr.testing.assert_identical(a.load(), b.load())
        assert a["geopotential"].encoding["zlib"]


def test_equal_forecasts_are_equal_netcdf_files(tmp_path: Path) -> None:
    found = set()
    for name in ("a.nc", "b.nc", "c.nc"):
        store = begin(tmp_path / name)
        fill(store)
        store.finish()
        found.add((tmp_path / name).read_bytes())
    assert len(found) == 1


def test_a_store_that_cannot_be_begun_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, value: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr("weather.io.partial_store.write_json", full)
        begin(tmp_path / "a.zarr")
    assert not list(tmp_path.glob("*.lock")) and not list(tmp_path.glob(".*"))
    begin(tmp_path / "a.zarr").close()


@pytest.mark.parametrize("name", ["a.zarr", "a.nc"])
def test_coordinates_follow_cf_and_lack_no_value(tmp_path: Path, name: str) -> None:
    store = begin(tmp_path / name, about={"history": "made by a test"})
    fill(store)
    store.finish()
    with xr.open_dataset(tmp_path / name, decode_cf=False) as data:
        for coordinate in data.coords:
            assert "_FillValue" not in data[coordinate].attrs, coordinate
            assert "standard_name" in data[coordinate].attrs, coordinate
        assert data["time"].attrs["units"].startswith("hours since")
        assert data["prediction_timedelta"].values.tolist() == list(LEADS)
        assert data["valid_time"].attrs["standard_name"] == "time"
        assert data.attrs["history"] == "made by a test"
        assert data.attrs["source"] == f"refine {refine_core.__version__}"
