"""Opening what xarray reads: Zarr, netCDF and GRIB, here or behind a URL."""

import glob
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import xarray as xr

from refine_core.errors import InputError

NETCDF, GRIB = (".nc", ".nc4", ".cdf", ".netcdf", ".h5"), (".grib", ".grib2", ".grb", ".grb2")
CHUNK = 2**25
"""Bytes read at a time from files that are not divided into chunks."""
_BACKENDS = {"gs": "gcsfs", "gcs": "gcsfs", "s3": "s3fs", "http": "aiohttp", "https": "aiohttp"}
_TAKEN = "a Zarr store, a netCDF or GRIB file, a folder or pattern of such files, or a URL"


def open_files(path: str) -> xr.Dataset:
    """Open a source as it is, in chunks of dask.

    Args:
        path: See `weather.io.dataset.open_dataset`.

    Raises:
        InputError: There is nothing to read, it is damaged, or a library is missing.
    """
    remote = "://" in path or "::" in path
    with read_errors(path):
        if remote:
            _check_backend(path)
            if Path(path).suffix.lower() in NETCDF:
                # Such a file is read all over the place, so it is fetched whole.
                fetched = fsspec.open_local(f"simplecache::{path}", mode="rb")
                return _chunked(xr.open_dataset(fetched, decode_timedelta=False))
            return _zarr(path)
        return _local(path)


def local_files(path: str) -> list[Path]:
    """All files of a source, none of a URL."""
    place = Path(path).expanduser()
    found = [place] if place.exists() else [Path(file) for file in glob.glob(str(place))]
    inside = [file for each in found for file in ([each] if each.is_file() else each.rglob("*"))]
    return sorted(file for file in inside if file.is_file())


def _local(path: str) -> xr.Dataset:
    place = Path(path).expanduser()
    files = [place] if place.exists() else sorted(Path(file) for file in glob.glob(str(place)))
    if place.is_dir() and not _is_zarr(place):
        if place.suffix.lower() == ".zarr":
            raise InputError(f"{path} has neither zarr.json nor .zgroup: the store is not whole.")
        files = sorted(f for f in place.rglob("*") if f.suffix.lower() in NETCDF + GRIB)
    if not files:
        what = "holds no netCDF or GRIB file" if place.is_dir() else "is not there"
        raise InputError(f"{path} {what}: give {_TAKEN}.")
    parts = [_one(file) for file in files]
    # Files that differ in time or in their variables make one data set.
    options: Any = {"data_vars": "minimal", "coords": "minimal", "compat": "override"}
    joined = xr.combine_by_coords(parts, combine_attrs="override", **options)
    assert isinstance(joined, xr.Dataset)
    return joined


def _is_zarr(place: Path) -> bool:
    return any((place / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata"))


def _one(file: Path) -> xr.Dataset:
    with read_errors(str(file)):
        if _is_zarr(file):
            return _zarr(str(file))
        if file.suffix.lower() in GRIB:
            return _chunked(_grib(file))
        return _chunked(xr.open_dataset(file, decode_timedelta=False))


def _zarr(path: str) -> xr.Dataset:
    with warnings.catch_warnings():
        # Stores without consolidated metadata are as good, only slower to open.
        warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated")
        opened: xr.Dataset = xr.open_zarr(path, chunks={}, decode_timedelta=False)
        return opened


def _grib(path: Path) -> xr.Dataset:
    """All fields of a GRIB file; cfgrib gives a data set for each kind of level."""
    if find_spec("cfgrib") is None:
        raise InputError(f"{path} is GRIB, which needs cfgrib: run `pip install cfgrib`.")
    from cfgrib import open_datasets  # type: ignore[import-not-found]

    with warnings.catch_warnings():
        # About what cfgrib asks of xarray.
        warnings.filterwarnings("ignore", "In a future version of xarray", FutureWarning)
        kinds = open_datasets(str(path), backend_kwargs={"indexpath": ""}, decode_timedelta=False)
    return xr.merge([_levelled(kind) for kind in kinds], compat="override")


def _levelled(kind: xr.Dataset) -> xr.Dataset:
    """Without coordinates of one value, the pressure level excepted."""
    if "isobaricInhPa" in kind.coords and "isobaricInhPa" not in kind.dims:
        kind = kind.expand_dims("isobaricInhPa")
    kept = {"time", "step", "number"}
    return kind.drop_vars([c for c in kind.coords if c not in kind.dims and c not in kept])


def _chunked(dataset: xr.Dataset) -> xr.Dataset:
    """Divided by time into pieces of `CHUNK` bytes, along what the file itself is divided by."""
    pieces = {}
    for name in ("time", "valid_time"):
        if name in dataset.dims:
            largest = max((a.nbytes for a in dataset.values() if name in a.dims), default=1)
            stored = max(_stored(a, name) for a in dataset.values())
            wanted = CHUNK * dataset.sizes[name] // largest
            pieces[name] = max(stored, wanted // stored * stored)
    return dataset.chunk(pieces)


def _stored(array: xr.DataArray, dim: str) -> int:
    sizes = array.encoding.get("chunksizes") or array.encoding.get("preferred_chunks")
    if isinstance(sizes, dict):
        return int(sizes.get(dim, 1))
    return int(sizes[array.dims.index(dim)]) if sizes and dim in array.dims else 1


def _check_backend(path: str) -> None:
    protocol = path.partition("://")[0].rpartition("::")[2]
    library = _BACKENDS.get(protocol)
    if library and find_spec(library) is None:
        raise InputError(f"{path} needs {library}: run `pip install {library}`.")
    if protocol not in fsspec.available_protocols():
        raise InputError(
            f"{path}: {protocol}:// is unknown, expected one such as gs, s3 or https."
        )


@contextmanager
def read_errors(path: str) -> Iterator[None]:
    """Turn what a library raises while it reads a source into a sentence.

    Raises:
        InputError: Anything went wrong.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # every reader, codec and file system has its own
        said = str(error).strip().split("\n")[0] or type(error).__name__
        raise InputError(
            f"{path} cannot be read ({said}): it is damaged, incomplete, or nothing that xarray "
            f"reads; give {_TAKEN}."
        ) from error
