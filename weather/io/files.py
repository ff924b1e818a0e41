"""Opens files and URLs that xarray reads: Zarr, netCDF and GRIB."""

import glob
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import xarray as xr

from refine_core.app.processes.cluster import check_files
from refine_core.errors import InputError
from weather.io.canonical import canonical_name

NETCDF, GRIB = (".nc", ".nc4", ".cdf", ".netcdf", ".h5"), (".grib", ".grib2", ".grb", ".grb2")
CHUNK = 2**25
"""Bytes read at a time from files that are not divided into chunks."""
_BACKENDS = {"gs": "gcsfs", "gcs": "gcsfs", "s3": "s3fs", "http": "aiohttp", "https": "aiohttp"}
_EXPECTED = "a Zarr store, a netCDF or GRIB file, a folder or pattern of such files, or a URL"


def open_files(path: str) -> xr.Dataset:
    """Open a source with its own names and units, in chunks of dask.

    Args:
        path: See `weather.io.source.Source.open`.

    Raises:
        InputError: There is nothing to read, it is damaged, or a library is missing.
    """
    if not path:
        raise InputError(f"Found no path of data: give {_EXPECTED}.")
    remote = "://" in path or "::" in path
    with read_errors(path):
        if remote:
            _check_backend(path)
            kind = Path(path).suffix.lower()
            if kind in NETCDF + GRIB:
                # Reads of such a file jump back and forth, so it is fetched whole.
                fetched = Path(fsspec.open_local(f"simplecache::{path}", mode="rb"))
                return _opened(fetched, kind)
            return _zarr(path)
        return _local(path)


def open_given(given: str | Path | xr.Dataset, what: str) -> xr.Dataset:
    """A data set that was given as such, or by its path or URL.

    Args:
        given: The data set, or the path or URL of one.
        what: What it holds, in messages.

    Raises:
        InputError: It is something else, or cannot be read.
    """
    if isinstance(given, xr.Dataset):
        return given
    if isinstance(given, str | Path):
        return open_files(str(given))
    remedy = ": make it one by to_dataset(name=...)" if isinstance(given, xr.DataArray) else ""
    raise InputError(
        f"Found {what} of type {type(given).__name__}, expected an xarray.Dataset, or the path or "
        f"URL of one{remedy}."
    )


def check_shared(*paths: str | Path) -> None:
    """Check that the workers of a dask cluster, if one computes, find what paths or patterns name.

    Raises:
        InputError: One does not.
    """
    names = [(str(path), Path(path).expanduser()) for path in paths]
    check_files(
        *(
            path if "://" in path or place.exists() else next(iter(glob.glob(str(place))), path)
            for path, place in names
        )
    )


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
            raise InputError(
                f"{path} has neither zarr.json nor .zgroup: the store is not whole, copy it again."
            )
        files = sorted(f for f in place.rglob("*") if f.suffix.lower() in NETCDF + GRIB)
    if not files:
        what = "holds no netCDF or GRIB file" if place.is_dir() else "is not there"
        raise InputError(f"{path} {what}: give {_EXPECTED}.")
    parts = [_one(file) for file in files]
    # Files that differ in time or in their variables make one data set.
    joined = xr.combine_by_coords(
        parts,
        data_vars="minimal",
        coords="minimal",
        compat="override",
        combine_attrs="override",
    )
    assert isinstance(joined, xr.Dataset)
    return joined


def _is_zarr(place: Path) -> bool:
    return any((place / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata"))


def _one(file: Path) -> xr.Dataset:
    whole = file.absolute()  # for workers of a cluster, which have folders of their own
    with read_errors(str(file)):
        if _is_zarr(file):
            return _zarr(str(whole))
        return _opened(whole, file.suffix.lower())


def _opened(file: Path, kind: str) -> xr.Dataset:
    """A netCDF or GRIB file, by its suffix."""
    return _chunked(_grib(file) if kind in GRIB else xr.open_dataset(file, decode_timedelta=False))


def _zarr(path: str) -> xr.Dataset:
    with warnings.catch_warnings():
        # Stores without consolidated metadata can be read too, but are slower to open.
        warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated")
        # What else lies in a store, such as an array whose metadata are damaged, is not read.
        warnings.filterwarnings("ignore", "Object at .* is not recognized as a component")
        dataset: xr.Dataset = xr.open_zarr(path, chunks={}, decode_timedelta=False)
        return dataset


def _grib(path: Path) -> xr.Dataset:
    """All fields of a GRIB file; cfgrib gives a data set for each kind of level."""
    if find_spec("cfgrib") is None:
        raise InputError(f"{path} is GRIB, which needs cfgrib: run `pip install cfgrib`.")
    from cfgrib import open_datasets  # type: ignore[import-not-found]

    with warnings.catch_warnings():
        # The warning is about how cfgrib calls xarray.
        warnings.filterwarnings("ignore", "In a future version of xarray", FutureWarning)
        kinds = open_datasets(str(path), backend_kwargs={"indexpath": ""}, decode_timedelta=False)
    return xr.merge([_without_scalars(kind) for kind in kinds], compat="override")


def _without_scalars(kind: xr.Dataset) -> xr.Dataset:
    """Drop coordinates of one value, except for the pressure level."""
    if "isobaricInhPa" in kind.coords and "isobaricInhPa" not in kind.dims:
        kind = kind.expand_dims("isobaricInhPa")
    needed = {"time", "step", "number"}
    return kind.drop_vars([c for c in kind.coords if c not in kind.dims and c not in needed])


def _chunked(dataset: xr.Dataset) -> xr.Dataset:
    """Divide into chunks of about `CHUNK` bytes, each of whole chunks of the file.

    They are divided by time first, and where one time is too large by all else but the map.
    """
    chunks, left = dict[str, int](), max((a.nbytes for a in dataset.values()), default=1)
    named = {str(dim): canonical_name(str(dim)) for dim in dataset.dims}
    divided = [dim for dim, known in named.items() if known not in ("latitude", "longitude")]
    for name in sorted(divided, key=lambda dim: named[dim] != "time"):
        size, has = dataset.sizes[name], [a for a in dataset.values() if name in a.dims]
        if left <= CHUNK or size == 1 or not has:
            continue
        stored = max(_stored(a, name) for a in has)
        wanted = CHUNK * size // left
        chunks[name] = min(size, max(stored, wanted // stored * stored))
        left = left * chunks[name] // size
    return dataset.chunk(chunks)


def _stored(array: xr.DataArray, dim: str) -> int:
    """Length of the chunks of a file along a dimension, 1 if it has none."""
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
    """Turn any error of a library that reads a source into a sentence.

    Raises:
        InputError: In place of the library's error.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # readers, codecs and file systems raise errors of their own
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise InputError(
            f"{path} cannot be read ({reason}): it is damaged, incomplete, or of no kind that "
            f"xarray reads; give {_EXPECTED}."
        ) from error
