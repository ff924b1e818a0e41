"""Preparation of data for training: read once, in pieces, into arrays mapped into memory.

A folder holds `states.npy`, `forcing.npy`, `static.npy`, `times.npy` and, last
of all, `meta.json`. While the source is read, `progress.json` says how far it has come, and
a killed run continues from there.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from refine_core.app.progress import Progress
from refine_core.config.schema import to_dict
from refine_core.storage.archive import default_cache
from refine_core.storage.files import atomic_write, digest, write_json
from weather.data.array_file import ArrayFile
from weather.data.checks import check_source, refusal
from weather.data.config import DataConfig
from weather.data.prepared import Prepared
from weather.data.statistics import Statistics, measure_statistics
from weather.data.time_parts import TimeParts
from weather.data.value_checks import ValueScan
from weather.fields.grid import Grid
from weather.io.source import Source

BLOCK = 2**26
"""Bytes of maps in memory at a time, unless a chunk of the source is larger."""
FILES = (
    "meta.json",
    "progress.json",
    "states.npy",
    "forcing.npy",
    "static.npy",
    "times.npy",
)


def prepare(config: DataConfig, folder: Path | None = None, *, quiet: bool = False) -> Prepared:
    """Make data ready for training, or continue where an earlier call was stopped.

    Args:
        config: What to prepare.
        folder: Where to keep the arrays; by default a folder in the cache. Those that it holds
            are taken if source and configuration are the same.
        quiet: Whether to show no progress.

    Raises:
        InputError: The source does not fit; lists all that is wrong with it.

    >>> from dataclasses import replace
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import weather
    >>> from weather.samples import STATES
    >>> early = {"source": str(STATES), "gap_days": 4, "train": ("2019-11-01", "2019-11-20")}
    >>> late = {"validation": ("2019-11-25", "2019-12-05"), "test": ("2019-12-10", "2019-12-20")}
    >>> config = replace(weather.load("gcm").config.data, **early, **late)
    >>> with TemporaryDirectory() as folder:
    ...     data = weather.prepare(config, Path(folder), quiet=True)
    >>> data.states.shape  # of 42 days, 26 channels
    (42, 26, 32, 64)
    """
    folder = cache_folder(config) if folder is None else folder
    source = Source.open(config.source).completed(config.forcing)
    identity: dict[str, object] = {
        "config": to_dict(config),
        "source": source.fingerprint(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # of several processes that start at once, one prepares
        if _read_json(folder / "meta.json").get("identity") != identity:
            _Preparation(source, config, folder, identity, quiet).run()
    return load_prepared(folder, config)


def cache_folder(config: DataConfig) -> Path:
    """The folder in the cache for the data of a configuration."""
    return default_cache() / "weather" / digest(json.dumps(to_dict(config)))


def load_prepared(folder: Path, config: DataConfig) -> Prepared:
    """Map a folder that `prepare` completed into memory."""
    meta = _read_json(folder / "meta.json")
    return Prepared(
        config=config,
        grid=Grid(np.array(meta["latitude"]), np.array(meta["longitude"])),
        times=np.load(folder / "times.npy"),
        states=np.load(folder / "states.npy", mmap_mode="r"),
        static=np.load(folder / "static.npy"),
        forcing=np.load(folder / "forcing.npy", mmap_mode="r") if config.forcing else None,
        statistics=Statistics.from_dict(meta["statistics"]),
        folder=folder,
    )


@dataclass(frozen=True)
class _Preparation:
    """Writes the files of a folder.

    Args:
        source: The source to read from.
        config: What to prepare.
        folder: The folder for the files.
        identity: All that decides their content.
        quiet: Whether to show no progress.
    """

    source: Source
    config: DataConfig
    folder: Path
    identity: dict[str, object]
    quiet: bool

    def run(self) -> None:
        """Write all files, `meta.json` last."""
        if not self._continues():
            check_source(self.source, self.config)
            for name in FILES:
                for path in (self.folder / name, self.folder / f"{name}.part"):
                    path.unlink(missing_ok=True)
        index = TimeParts(self.source.times, self.config).used()
        self._copy(index)
        self._describe(TimeParts(self.source.times[index], self.config))

    def _continues(self) -> bool:
        """Whether the folder holds part of the same data."""
        begun = any((self.folder / f"states.npy{end}").exists() for end in ("", ".part"))
        progress = self._progress()
        return begun and "findings" in progress and progress["identity"] == self.identity

    def _progress(self) -> dict[str, Any]:
        return _read_json(self.folder / "progress.json")

    def _copy(self, index: NDArray[np.int64]) -> None:
        """Copy states and forcing at times `index` into their files, or what is missing of them.

        Raises:
            InputError: A value is missing or impossible.
        """
        config, source, predicted = self.config, self.source, len(self.config.channels)
        channels = config.channels + config.forcing_channels
        progress = self._progress()
        scan = ValueScan(channels, source.grid, config.forcing, progress.get("findings"))
        files = [self._array_file("states.npy", len(index), predicted)]
        columns = [slice(predicted), slice(predicted, None)]
        if config.forcing:
            files.append(self._array_file("forcing.npy", len(index), len(config.forcing)))
        row = 0
        with Progress("reading", len(index), quiet=self.quiet) as bar:
            for block in source.blocks(channels, index, BLOCK):
                end = row + len(block)
                if end > progress.get("done", 0):
                    maps = source.read(channels, block)
                    scan.look(source.times[block], maps)
                    for file, column in zip(files, columns, strict=False):
                        file.write(row, maps[:, column])
                    done = {"identity": self.identity, "done": end, "findings": scan.findings}
                    write_json(self.folder / "progress.json", done)
                row = end
                bar.update(row)
        if problems := scan.problems():
            raise refusal(source.path, problems)
        for file in files:
            file.finish()

    def _array_file(self, name: str, times: int, channels: int) -> ArrayFile:
        return ArrayFile(self.folder / name, (times, channels, *self.source.grid.shape))

    def _describe(self, parts: TimeParts) -> None:
        """Measure statistics of the copied states, and write what is left."""
        config, grid = self.config, self.source.grid
        states = np.load(self.folder / "states.npy", mmap_mode="r")
        forcing = states[:, :0]
        if config.forcing:
            forcing = np.load(self.folder / "forcing.npy", mmap_mode="r")
        static = self.source.read_static(config.static)
        size = max(1, BLOCK // states[0].nbytes)
        with Progress("statistics", 1, quiet=self.quiet) as bar:
            statistics = measure_statistics(states, static, forcing, parts, grid, size)
            bar.update(1)
        self._save("times.npy", parts.times)
        self._save("static.npy", static)
        where = {"latitude": grid.latitude.tolist(), "longitude": grid.longitude.tolist()}
        meta = {"identity": self.identity, **where, "statistics": statistics.to_dict()}
        write_json(self.folder / "meta.json", meta)

    def _save(self, name: str, array: NDArray[np.generic]) -> None:
        with atomic_write(self.folder / name) as temporary, open(temporary, "wb") as file:
            np.save(file, array)


def _read_json(path: Path) -> dict[str, Any]:
    """Content of a file, empty if there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found
