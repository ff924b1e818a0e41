"""Data made ready for training: read once, in pieces, into arrays that are mapped into memory.

A folder holds `states.npy`, `forcing.npy`, `static.npy`, `times.npy`, `climatology.npy` and, last
of all, `meta.json`. While the source is read, `progress.json` says how far it has come, and
a killed run goes on from there.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from filelock import FileLock
from numpy.typing import NDArray

from refine_core.app.progress import Progress
from refine_core.config.schema import to_dict
from refine_core.storage.archive import default_cache
from refine_core.storage.files import atomic_write, write_json
from weather.data.array_file import ArrayFile, blocks, read
from weather.data.checks import refusal, require
from weather.data.config import DataConfig
from weather.data.prepared import Prepared, Statistics
from weather.data.statistics import measure
from weather.data.time_parts import PARTS, inside
from weather.data.value_checks import Scan
from weather.fields import climatology
from weather.fields.grid import Grid
from weather.io.dataset import fingerprint, grid_of, open_dataset, static_maps, times_of

__all__ = ["Prepared", "Statistics", "cache_folder", "load", "prepare", "prepared"]

BLOCK = 2**26
"""Bytes of maps held in memory at a time, unless a chunk of the source is larger."""
FILES = (
    "meta.json",
    "progress.json",
    "states.npy",
    "forcing.npy",
    "static.npy",
    "times.npy",
    "climatology.npy",
)


def prepared(data: DataConfig, quiet: bool = False) -> Prepared:
    """Data ready for training, taken from the cache if the source has not changed.

    Args:
        data: What to prepare.
        quiet: Whether to show no progress.

    Raises:
        InputError: The source does not fit; says all that is wrong with it.
    """
    return prepare(data, cache_folder(data), quiet)


def cache_folder(data: DataConfig) -> Path:
    """Where `prepared` keeps what it makes of a configuration."""
    digest = hashlib.sha256(json.dumps(to_dict(data)).encode()).hexdigest()
    return default_cache() / "weather" / digest[:16]


def prepare(data: DataConfig, folder: Path, quiet: bool = False) -> Prepared:
    """Make data ready for training, or go on where an earlier call was stopped.

    Args:
        data: What to prepare.
        folder: Where to keep it; what it holds is taken if source and configuration are the same.
        quiet: Whether to show no progress.

    Raises:
        InputError: The source does not fit; says all that is wrong with it.
    """
    source = open_dataset(data.source)
    identity = {"config": to_dict(data), "source": fingerprint(source, data.source)}
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # of several processes that start at once, one prepares
        if _json(folder / "meta.json").get("identity") != identity:
            _make(source, data, folder, identity, quiet)
    return load(folder, data)


def load(folder: Path, data: DataConfig) -> Prepared:
    """Map a folder that `prepare` completed into memory."""
    meta = _json(folder / "meta.json")
    return Prepared(
        data=data,
        grid=Grid(np.array(meta["latitude"]), np.array(meta["longitude"])),
        channels=data.channels,
        times=np.load(folder / "times.npy"),
        states=np.load(folder / "states.npy", mmap_mode="r"),
        static=np.load(folder / "static.npy"),
        forcing=np.load(folder / "forcing.npy", mmap_mode="r") if data.forcing else None,
        statistics=Statistics.from_dict(meta["statistics"]),
        climatology=np.load(folder / "climatology.npy"),
        folder=folder,
    )


def _make(
    source: xr.Dataset, data: DataConfig, folder: Path, identity: dict[str, Any], quiet: bool
) -> None:
    """Write all files of a folder, `meta.json` last."""
    progress = _json(folder / "progress.json")
    begun = (folder / "states.npy").exists() or (folder / "states.npy.part").exists()
    if not begun or progress.get("identity") != identity:
        require(source, data)
        for name in FILES:
            for path in (folder / name, folder / f"{name}.part"):
                path.unlink(missing_ok=True)
        progress = {"identity": identity, "done": 0, "found": {}}
    grid, times = grid_of(source), times_of(source)
    index = np.flatnonzero(np.any([inside(times, data, part) for part in PARTS], 0))
    _copy(source, data, folder, index, progress, quiet)
    states = np.load(folder / "states.npy", mmap_mode="r")
    forcing = np.load(folder / "forcing.npy", mmap_mode="r") if data.forcing else states[:, :0]
    static, times, size = static_maps(source, data.static), times[index], BLOCK // states[0].nbytes
    with Progress("statistics", 2, quiet=quiet) as bar:
        statistics = measure(states, static, forcing, times, data, grid, max(1, size))
        bar.update(1)
        train = np.flatnonzero(inside(times, data, "train"))
        _save(folder / "climatology.npy", climatology.fit(states, train, times, max(1, size)))
        bar.update(2)
    _save(folder / "times.npy", times)
    _save(folder / "static.npy", static)
    where = {"latitude": grid.latitude.tolist(), "longitude": grid.longitude.tolist()}
    meta = {"identity": identity, **where, "statistics": statistics.to_dict()}
    write_json(folder / "meta.json", meta)


def _copy(
    source: xr.Dataset,
    data: DataConfig,
    folder: Path,
    index: NDArray[np.int64],
    progress: dict[str, Any],
    quiet: bool,
) -> None:
    """Copy states and forcing at times `index` into their files, from `progress` on.

    Raises:
        InputError: A value is missing or impossible.
    """
    predicted, given, grid = len(data.channels), len(data.forcing), grid_of(source)
    wanted = data.channels + data.forcing_channels
    scan = Scan(wanted, grid, data.forcing, progress["found"])
    states = ArrayFile(folder / "states.npy", (len(index), predicted, *grid.shape))
    parts = [(states, slice(predicted))]
    if given:
        forcing = ArrayFile(folder / "forcing.npy", (len(index), given, *grid.shape))
        parts.append((forcing, slice(predicted, None)))
    row = 0
    with Progress("reading", len(index), quiet=quiet) as bar:
        for block in blocks(source, wanted, index, BLOCK):
            if row + len(block) > progress["done"]:
                maps = read(source, wanted, block)
                scan.look(times_of(source)[block], maps)
                for file, which in parts:
                    file.write(row, maps[:, which])
                done = {"done": row + len(block), "found": scan.found}
                write_json(folder / "progress.json", progress | done)
            row += len(block)
            bar.update(row)
    if problems := scan.problems():
        raise refusal(data, problems)
    for file, _ in parts:
        file.finish()


def _save(path: Path, array: NDArray[Any]) -> None:
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array)


def _json(path: Path) -> dict[str, Any]:
    """Content of a file, empty if there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found
