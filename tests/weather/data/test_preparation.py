"""Prepared data equal the source, whatever happened on the way; later parts are not known."""

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from refine_core.errors import InputError
from tests.weather import tiny
from tests.weather.synthetic import atmosphere, config
from weather.data import preparation as module
from weather.data.array_file import ArrayFile
from weather.data.config import DataConfig
from weather.data.preparation import prepare
from weather.data.prepared import Prepared
from weather.fields.insolation import incident_radiation

SUN = "toa_incident_solar_radiation"


def store(path: Path, source: xr.Dataset) -> DataConfig:
    source.chunk(time=25).to_zarr(path, zarr_format=3, consolidated=False, mode="w")
    return config(path)


@pytest.fixture
def surface(folder: Path) -> DataConfig:
    """The variables without levels, of which there are few to read."""
    return config(tiny.store(folder), atmospheric=(), levels=())


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 1)  # one chunk


def content(folder: Path) -> dict[str, bytes]:
    names = ("states", "forcing", "static", "times")
    files = [folder / f"{name}.npy" for name in names] + [folder / "meta.json"]
    return {file.name: file.read_bytes() for file in files}


def test_arrays_are_those_of_the_source(made: Prepared) -> None:
    source = atmosphere()
    assert [c.name for c in made.channels][:3] == [
        "geopotential_500",
        "geopotential_850",
        "temperature_500",
    ]
    at = source.sel(time=made.times)
    assert len(made.times) == 4 * (20 + 7 + 8)
    np.testing.assert_array_equal(made.states[:, 1], at["geopotential"].values[:, 1])
    np.testing.assert_array_equal(made.states[:, 4], at["2m_temperature"].values)
    assert made.forcing is not None
    np.testing.assert_array_equal(made.forcing[:, 0], at["toa_incident_solar_radiation"].values)
    np.testing.assert_array_equal(made.static[1], source["geopotential_at_surface"].values)
    assert made.states.dtype == np.float32
    assert isinstance(made.states, np.memmap)
    assert made.grid.shape == (8, 16)


def test_radiation_that_the_source_lacks_is_computed(tmp_path: Path) -> None:
    settings = store(tmp_path / "dark.zarr", atmosphere().drop_vars(SUN))
    made = prepare(settings, tmp_path / "made", quiet=True)
    assert made.forcing is not None
    expected = incident_radiation(made.times, made.grid)
    np.testing.assert_array_equal(made.forcing[:, 0], expected.astype(np.float32))
    assert made.statistics.forcing_mean[0] == pytest.approx(1361 / 4 * 3600 * 1.034, rel=0.02)
    with pytest.raises(InputError, match="toa_incident_solar_radiation: not in the source"):
        wrong = replace(settings, forcing=(), surface=(*settings.surface, SUN))
        prepare(wrong, tmp_path / "other", quiet=True)


def test_statistics_are_of_the_training_part_and_weighted_by_area(made: Prepared) -> None:
    source = atmosphere()
    train = source.sel(time=slice("2000-01-01", "2000-01-20T23"))
    edge = np.sin(np.deg2rad(np.linspace(-90, 90, 9)))
    weight = xr.DataArray(np.diff(edge), dims="latitude")
    known = made.statistics
    for place, values in (
        (0, train["geopotential"].isel(level=0)),
        (3, train["temperature"].isel(level=1)),
        (5, train["mean_sea_level_pressure"]),
    ):
        values = values.astype(float)
        step = (values - values.shift(time=2)).isel(time=slice(4, None))  # where history is known
        for array, mean, std in (
            (values, known.mean[place], known.std[place]),
            (step, None, known.residual_std[place]),
        ):
            average = array.weighted(weight).mean()
            spread = np.sqrt(((array - average) ** 2).weighted(weight).mean())
            np.testing.assert_allclose(std, spread, 1e-6)
            if mean is not None:
                np.testing.assert_allclose(mean, average, 1e-6)
    land = source["land_sea_mask"].weighted(weight).mean()
    np.testing.assert_allclose(known.static_mean[0], land, 1e-6)


def test_later_parts_are_not_known(tmp_path: Path, made: Prepared) -> None:
    later = atmosphere().copy(deep=True)
    later["2m_temperature"][100:] = later["2m_temperature"][100:] * 0.95
    other = prepare(store(tmp_path / "s.zarr", later), tmp_path / "p", quiet=True)
    assert not np.array_equal(made.states, other.states)
    assert made.statistics.to_dict() == other.statistics.to_dict()


WRITE = ArrayFile.write


class Interrupted(Exception):
    """Stands for a kill."""


def count_blocks(monkeypatch: pytest.MonkeyPatch, stop: int | None = None) -> list[int]:
    """Sizes of the blocks copied from now on; the block number `stop` kills the run."""
    sizes: list[int] = []

    def counted(self: ArrayFile, row: int, values: np.ndarray) -> None:
        if self.path.name == "states.npy":
            if len(sizes) == stop:
                raise Interrupted
            sizes.append(len(values))
        WRITE(self, row, values)

    monkeypatch.setattr(ArrayFile, "write", counted)
    return sizes


def test_a_killed_run_goes_on_to_the_same_bytes(
    tmp_path: Path, surface: DataConfig, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = count_blocks(monkeypatch)
    prepare(surface, tmp_path / "whole", quiet=True)
    assert len(whole) > 4
    with monkeypatch.context() as patch:
        count_blocks(patch, stop=3)
        with pytest.raises(Interrupted):
            prepare(surface, tmp_path / "killed", quiet=True)
    assert not (tmp_path / "killed" / "states.npy").exists()
    with open(tmp_path / "killed" / "states.npy.part", "ab") as file:
        file.write(b"half a block")
    rest = count_blocks(monkeypatch)

    def killed(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(module, "measure_statistics", killed)
        with pytest.raises(Interrupted):  # and once more, when all is read
            prepare(surface, tmp_path / "killed", quiet=True)
    assert rest == whole[3:]
    prepare(surface, tmp_path / "killed", quiet=True)
    assert rest == whole[3:]
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_a_full_disk_names_the_file_and_loses_nothing(
    tmp_path: Path,
    surface: DataConfig,
    small_blocks: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    synced = []

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) > 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"states\.npy|forcing\.npy|progress\.json"):
            prepare(surface, tmp_path / "p", quiet=True)
    prepare(surface, tmp_path / "p", quiet=True)
    prepare(surface, tmp_path / "q", quiet=True)
    assert content(tmp_path / "p") == content(tmp_path / "q")


def test_the_cache_is_used_until_source_or_config_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFINE_CACHE", str(tmp_path / "cache"))
    states, name = atmosphere()[["2m_temperature"]], "2m_temperature"
    few: dict[str, Any] = {"atmospheric": (), "levels": (), "static": (), "forcing": ()}
    few |= {"surface": (name,)}
    states.to_netcdf(tmp_path / "s.nc")
    data, seen = config(tmp_path / "s.nc", **few), count_blocks(monkeypatch)
    first = prepare(data, quiet=True)
    assert len(seen) == 1
    assert prepare(data, quiet=True).folder == first.folder
    assert len(seen) == 1
    prepare(config(tmp_path / "s.nc", **few, step_hours=24), quiet=True)
    assert len(seen) == 2
    (states + 1).assign_attrs(states.attrs).to_netcdf(tmp_path / "s.nc")
    again = prepare(data, quiet=True)
    assert len(seen) == 3
    np.testing.assert_allclose(again.statistics.mean[0] - first.statistics.mean[0], 1, 1e-4)


def test_missing_values_are_found_while_reading(tmp_path: Path, small_blocks: None) -> None:
    source = atmosphere().copy(deep=True)
    source["temperature"].values[40, 1, 3] = np.nan
    source["geopotential"].values[77, 0, 3] = np.nan
    data = store(tmp_path / "s.zarr", source)
    for _ in range(2):  # also when it is already read
        with pytest.raises(InputError) as raised:
            prepare(data, tmp_path / "p", quiet=True)
        assert "temperature at 850 hPa: missing (NaN)" in str(raised.value)
        assert "2000-01-20T06:00" in str(raised.value)
    assert not (tmp_path / "p" / "meta.json").exists()
