"""A Zarr store that is being written, and takes its name when it is complete.

Until then it is kept in a folder `<name>.partial` beside its final place, with a note of all that
its values depend on: a run with the same settings continues it, another one does not touch it. One
process writes at a time.
"""

import json
import shutil
import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import netCDF4
import xarray as xr
from dask.array.core import slices_from_chunks

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write, replace_folder, write_json
from refine_core.storage.lock import OutputLock


@dataclass(frozen=True)
class PartialStore:
    """A store that is not complete yet.

    Args:
        path: Its final place, ends in .zarr, or in .nc for a netCDF file.
        kind: What it holds, e.g. "forecast"; names the note.
        depends_on: What its values depend on, in a user's words.
    """

    path: Path
    kind: str
    depends_on: str

    @property
    def folder(self) -> Path:
        """Holds the store until it is complete, and what a run needs to continue it."""
        return self.path.with_name(self.path.name + ".partial")

    @property
    def store(self) -> Path:
        """The incomplete store."""
        return self.folder / "store.zarr"

    @property
    def _note(self) -> Path:
        return self.folder / f"{self.kind}.json"

    @cached_property
    def _lock(self) -> OutputLock:
        return OutputLock(self.path, folder=False)

    def release(self) -> None:
        """Let other processes go on with the store."""
        self._lock.release()

    def continues(self, wanted: object, *, overwrite: bool = False) -> bool:
        """Whether the folder holds part of what is wanted.

        Args:
            wanted: All that the values depend on, as JSON values.
            overwrite: Whether another store there may be replaced.

        Raises:
            InputError: There is a store already, or part of another, or another process writes it.
        """
        self._lock.acquire()
        try:
            return self._continues(wanted, overwrite)
        except BaseException:
            self.release()
            raise

    def _continues(self, wanted: object, overwrite: bool) -> bool:
        if self.path.exists() and not overwrite:
            if not self.store.exists():  # killed just after the store had taken its name
                shutil.rmtree(self.folder, ignore_errors=True)
            raise InputError(
                f"{self.path} exists: choose another name, or give --overwrite to replace it."
            )
        if not self._note.exists() or not self.store.exists():
            return False
        if json.loads(self._note.read_text(encoding="utf-8")) == json.dumps(wanted):
            return True
        if not overwrite:
            raise InputError(
                f"{self.folder} holds part of another {self.kind} (other {self.depends_on}): "
                "finish it with its own settings, or give --overwrite to replace it."
            )
        return False

    def begin(
        self,
        dataset: xr.Dataset,
        wanted: object,
        encoding: Mapping[Hashable, object] | None = None,
    ) -> None:
        """Write coordinates, attributes and arrays in memory, but no values of lazy arrays.

        Args:
            dataset: Its dask arrays are written later.
            wanted: See `continues`.
            encoding: Encoding by variable, as xarray takes it.
        """
        if self.folder.exists():
            shutil.rmtree(self.folder)
        with warnings.catch_warnings():
            # Zarr 3 does not specify consolidated metadata yet, but all readers know it.
            warnings.filterwarnings("ignore", "Consolidated metadata is currently not part")
            dataset.to_zarr(
                self.store,
                mode="w",
                compute=False,
                zarr_format=3,
                consolidated=True,
                encoding=encoding,
            )
        write_json(self._note, json.dumps(wanted))

    def finish(self) -> None:
        """Move the complete store to its final place, or write it there as netCDF."""
        if self.path.suffix == ".nc":
            _write_netcdf(self.store, self.path)
            shutil.rmtree(self.folder)
            return
        for stray in self.store.rglob(
            "*.partial"
        ):  # a chunk that was half-written when the process was killed
            stray.unlink()
        replace_folder(self.store, self.path)
        shutil.rmtree(self.folder)


def _write_netcdf(store: Path, path: Path) -> None:
    """Write a Zarr store as one compressed netCDF file, atomically, a chunk at a time."""
    opened = xr.open_zarr(store, consolidated=True, decode_cf=False)  # numbers as they are stored
    with atomic_write(path) as temporary, opened as dataset:
        encoding: dict[Hashable, dict[str, object]] = {
            name: {"zlib": True, "complevel": 4, "chunksizes": array.encoding["chunks"]}
            if array.dtype == "float32"
            else {"_FillValue": None}
            for name, array in dataset.variables.items()
        }
        dataset.to_netcdf(temporary, engine="netcdf4", encoding=encoding, compute=False)
        # Dask writes chunks in an order that changes; equal forecasts should be equal files.
        with netCDF4.Dataset(temporary, "a") as file:
            file.set_auto_maskandscale(False)
            for name, array in dataset.variables.items():
                for part in slices_from_chunks(array.chunks or ((),)):  # type: ignore[no-untyped-call]
                    file[name][part] = array[part].values
