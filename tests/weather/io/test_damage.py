"""A source that is damaged, or not there, is named, and where it is damaged."""

from pathlib import Path

import numpy as np
import pytest

from refine_core.errors import InputError
from tests.weather.synthetic import atmosphere, times
from weather.fields.channel import Channel
from weather.io import files
from weather.io.canonical import canonical
from weather.io.source import Source

HERE = atmosphere(times(6))


def test_a_truncated_chunk_names_variable_and_time(tmp_path: Path) -> None:
    path = tmp_path / "states.zarr"
    HERE.chunk(time=6).to_zarr(path, zarr_format=3, consolidated=False)
    chunk = path / "temperature" / "c" / "2" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:50])
    source, index = Source.open(str(path)), np.arange(24)
    wanted = [Channel("geopotential", 500), Channel("temperature", 500)]
    assert source.read(wanted, index[:12]).shape == (12, 2, 8, 16)
    with pytest.raises(InputError, match="states.zarr: temperature_500 at 2000-01-04T00:00 can"):
        source.read(wanted, index)


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    HERE.to_netcdf(tmp_path / "bad.nc")
    (tmp_path / "bad.nc").write_bytes((tmp_path / "bad.nc").read_bytes()[:20_000])
    (tmp_path / "empty").mkdir()
    store = tmp_path / "half.zarr"
    HERE.to_zarr(store, zarr_format=3, consolidated=False)
    (store / "zarr.json").unlink()
    whole = tmp_path / "broken.zarr"
    HERE.to_zarr(whole, zarr_format=3, consolidated=False)
    (whole / "zarr.json").write_text('{"zarr_format": 3, "node_')
    for name, said in (
        ("bad.nc", "cannot be read"),
        ("absent.zarr", "is not there"),
        ("empty", "holds no netCDF"),
        ("half.zarr", "store is not whole"),
        ("broken.zarr", "cannot be read"),
    ):
        with pytest.raises(InputError, match=f"{name}.*{said}"):
            Source.open(str(tmp_path / name))


def test_missing_libraries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    (tmp_path / "a.grib2").write_bytes(b"GRIB")
    with pytest.raises(InputError, match="pip install cfgrib"):
        Source.open(str(tmp_path / "a.grib2"))
    with pytest.raises(InputError, match="pip install gcsfs"):
        Source.open("gs://bucket/states.zarr")


def test_no_grid_and_no_calendar() -> None:
    with pytest.raises(InputError, match="expected latitude and longitude"):
        canonical(HERE.rename(latitude="cell").drop_vars("cell"))
    odd = HERE.assign_coords(time=np.arange(HERE.sizes["time"]))
    with pytest.raises(InputError, match="Gregorian"):
        canonical(odd)
