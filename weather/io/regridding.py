"""Files on another grid: read, regridded and written some times at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from refine_core import __version__
from refine_core.app.progress import Progress
from refine_core.errors import InputError
from weather.fields.grid import Grid, parse_grid
from weather.fields.regrid import Conservative
from weather.io.canonical import canonical, grid_of
from weather.io.files import open_files, open_given, read_errors
from weather.io.partial_store import PartialStore

BLOCK = 2**28
"""Bytes of maps in memory at a time, unless a chunk of the file is larger; of all variables."""


def regrid(dataset: str | Path | xr.Dataset, grid: Grid | str) -> xr.Dataset:
    """A data set on another grid, in canonical form, by `Conservative`; lazy if it is lazy.

    Args:
        dataset: States or a forecast, (..., latitude, longitude), with the names of WeatherBench 2
            or the usual aliases; or the path or URL of one.
        grid: The other grid, in degrees; or numbers of rows and columns, such as 32x64.

    Raises:
        InputError: It is on no latitude-longitude grid, or the grid reaches beyond it.

    >>> import weather
    >>> import xarray as xr
    >>> from weather.samples import STATES
    >>> with xr.open_dataset(STATES) as states:
    ...     made = weather.regrid(states.isel(time=[0]), "8x16")
    >>> made["2m_temperature"].shape
    (1, 8, 16)
    """
    grid = parse_grid(grid) if isinstance(grid, str) else grid
    dataset = canonical(open_given(dataset, "data")).drop_encoding()
    there = [name for name, a in dataset.coords.items() if a.ndim > 1 and set(a.dims) & _MAP]
    dataset, before = dataset.drop_vars(there), grid_of(dataset)
    for array in dataset.data_vars.values():
        array.attrs.pop("quantum", None)  # means of multiples are multiples no more
    change, lazy = Conservative(before, grid), any(a.chunks for a in dataset.values())
    made: xr.Dataset = xr.apply_ufunc(
        lambda maps: change(maps).astype(np.float32),
        dataset.chunk({"latitude": -1, "longitude": -1}) if lazy else dataset,
        input_core_dims=[["latitude", "longitude"]],
        output_core_dims=[["latitude", "longitude"]],
        exclude_dims={"latitude", "longitude"},
        dask="parallelized",
        dask_gufunc_kwargs={
            "output_sizes": dict(zip(("latitude", "longitude"), grid.shape, strict=True))
        },
        output_dtypes=[np.float32],
        keep_attrs=True,
    )
    places = {"latitude": grid.latitude, "longitude": grid.longitude}
    shape, old = ("x".join(map(str, each.shape)) for each in (grid, before))
    said = f"refine {__version__}: regridded conservatively from {old} to {shape} points"
    past = str(dataset.attrs.get("history", "")).splitlines()
    made = made.assign_coords({n: (n, each, dataset[n].attrs) for n, each in places.items()})
    return made.assign_attrs(history="\n".join([*past, said]))


_MAP = {"latitude", "longitude"}


def regrid_file(
    path: str, grid: Grid, out: Path, *, overwrite: bool = False, quiet: bool = False
) -> None:
    """Write a file or URL on another grid, as Zarr or netCDF.

    Args:
        path: See `weather.io.source.Source.open`.
        grid: The new grid.
        out: Ends in .zarr or .nc.
        overwrite: Whether an existing file is replaced.
        quiet: Whether to show no progress.

    Raises:
        InputError: The file cannot be read or regridded, or there is one at `out`, or another
            process writes it.
    """
    if out.resolve() == Path(path).resolve():
        raise InputError(f"{out} holds the data: choose another name.")
    with read_errors(path):
        dataset = canonical(open_files(path))
        made = regrid(dataset, grid)
        fixed = [name for name, array in made.variables.items() if "time" not in array.dims]
        made = made.assign({n: made[n].load() for n in [*made.coords, *fixed] if n in made})
    store = PartialStore(out, "grid", "data or another grid")
    store.continues(None, overwrite=overwrite)
    try:
        blocks = list(_blocks(dataset))
        moving = made.drop_vars(fixed + list(made.coords), errors="ignore")
        whole = made.assign({n: array.chunk(-1) for n, array in moving.items()})
        length = blocks[0]["time"].stop if blocks else 1
        store.begin(whole, None, {n: _encoding(a, length) for n, a in made.variables.items()})
        with Progress("regrid", len(blocks), quiet=quiet) as progress:
            for done, block in enumerate(blocks, 1):
                for part in _alike(moving):
                    region = {dim: where for dim, where in block.items() if dim in part.dims}
                    with read_errors(path):
                        maps = part.isel(region).load()
                    maps.to_zarr(store.store, region=region, consolidated=False)
                progress.update(done)
        store.finish()
    finally:
        store.release()


def _alike(dataset: xr.Dataset) -> Iterator[xr.Dataset]:
    """Variables with members, and those without."""
    numbered = [name for name, array in dataset.items() if "number" in array.dims]
    for part in (dataset[numbered], dataset.drop_vars(numbered)):
        if part.data_vars:
            yield part


def _blocks(dataset: xr.Dataset) -> Iterator[dict[str, slice]]:
    """Times and members to be read at once, in whole chunks of the file, members of a time first.

    Variables without members are written again with each block of these.
    """
    timed = [array for array in dataset.values() if "time" in array.dims]
    if not timed:
        return
    count = dataset.sizes["time"]
    one = sum(array.nbytes for array in timed) // count
    times = _whole_chunks(timed, "time", BLOCK // one)
    members = dataset.sizes.get("number", 1)
    some = _whole_chunks(timed, "number", BLOCK * members // (one * times))
    for first in range(0, count, times):
        block = {"time": slice(first, min(first + times, count))}
        if "number" not in dataset.dims:
            yield block
            continue
        for member in range(0, members, some):
            yield block | {"number": slice(member, min(member + some, members))}


def _whole_chunks(arrays: Sequence[xr.DataArray], dim: str, most: int) -> int:
    """At most so many along a dimension, in whole chunks; one chunk at least."""
    chunk = max(max(array.chunksizes.get(dim, (1,))) for array in arrays)
    return chunk * max(1, most // chunk)


def _encoding(array: xr.Variable, length: int) -> dict[str, object]:
    """Chunks of one time in a forecast, of a block else; no missing values in coordinates."""
    if array.dtype != np.float32 or array.ndim < 2:
        return {"_FillValue": None}
    along = {"time": length, "number": 1}
    return {"chunks": [min(size, along.get(str(d), size)) for d, size in array.sizes.items()]}
