"""Preparation of data for training: read once, in pieces, into arrays mapped into memory.

A folder holds `states.npy`, `forcing.npy`, `static.npy`, `times.npy` and, last
of all, `meta.json`. While the source is read, `progress.json` says how far it has come, and
a killed run continues from there.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from refine_core.app.processes.workers import Workers, map_in_workers
from refine_core.app.progress import Progress
from refine_core.config.schema import to_dict
from refine_core.storage.archive import default_cache
from refine_core.storage.files import atomic_write, digest, write_json
from weather.data.array_file import ArrayFile
from weather.data.checks import BLOCK, absent_cells, check_source, refusal
from weather.data.config import DataConfig
from weather.data.prepared import Prepared
from weather.data.statistics import Statistics, measure_statistics
from weather.data.time_parts import TimeParts
from weather.data.value_checks import Findings, ValueScan
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.io.files import check_shared
from weather.io.source import Source

FILES = (
    "meta.json",
    "progress.json",
    "states.npy",
    "forcing.npy",
    "static.npy",
    "times.npy",
)


def prepare(
    config: DataConfig,
    folder: Path | None = None,
    *,
    workers: Workers = 1,
    quiet: bool = False,
) -> Prepared:
    """Make data ready for training, or continue where an earlier call was stopped.

    A process holds a few blocks of `BLOCK` bytes at a time, or chunks of the source where these
    are larger, however many times there are.

    Args:
        config: What to prepare.
        folder: Where to keep the arrays; by default a folder in the cache. Those that it holds
            are taken if source and configuration are the same.
        workers: Processes that share the blocks, as in `map_in_workers`; files do not depend on
            it.
        quiet: Whether to show no progress.

    Raises:
        InputError: The source does not fit, and all that is wrong with it is listed; or a worker
            is lost or does not find the same files.

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
    folder = (cache_folder(config) if folder is None else folder).absolute()
    source = Source.open(config.source).completed(config.forcing)
    identity: dict[str, object] = {
        "config": to_dict(config),
        "source": source.fingerprint(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # of several processes that start at once, one prepares
        if _read_json(folder / "meta.json").get("identity") != identity:
            _Preparation(source, config, folder, identity, workers, quiet).run()
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
        workers: Processes that share the work.
        quiet: Whether to show no progress.
    """

    source: Source
    config: DataConfig
    folder: Path
    identity: dict[str, object]
    workers: Workers
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
        absent = None
        if config.masked and len(index):
            masked = np.array([c.variable in config.masked for c in channels])
            absent = absent_cells(source.read(channels, index[:1])) & masked[:, None, None]
        scan = ValueScan(channels, source.grid, config.forcing, progress.get("findings"), absent)
        files = [self._array_file("states.npy", len(index), predicted)]
        if config.forcing:
            files.append(self._array_file("forcing.npy", len(index), len(config.forcing)))
        check_shared(source.path, *(file.part for file in files if file.part.exists()))
        blocks = list(source.blocks(channels, index, BLOCK))
        first = np.cumsum([0, *map(len, blocks)])
        left = [k for k in range(len(blocks)) if first[k + 1] > progress.get("done", 0)]
        copy = _Copy(source, channels, config.forcing, predicted, tuple(files), absent)
        given = ((int(first[k]), blocks[k]) for k in left)
        found = map_in_workers(copy, given, len(left), self.workers)
        with Progress("reading", len(index), quiet=self.quiet) as bar:
            for k, findings in zip(left, found, strict=True):
                scan.add(findings)
                end = int(first[k + 1])
                done = {"identity": self.identity, "done": end, "findings": scan.findings}
                write_json(self.folder / "progress.json", done)
                bar.update(end)
        if problems := scan.problems():
            raise refusal(source.path, problems)
        for file in files:
            file.finish()

    def _array_file(self, name: str, times: int, channels: int) -> ArrayFile:
        return ArrayFile(self.folder / name, (times, channels, *self.source.grid.shape))

    def _describe(self, parts: TimeParts) -> None:
        """Measure statistics of the copied states, and write what is left."""
        config, grid = self.config, self.source.grid
        states = self.folder / "states.npy"
        forcing = self.folder / "forcing.npy" if config.forcing else np.zeros((0, 0, *grid.shape))
        static = self.source.read_static(config.static)
        size = max(1, BLOCK // np.load(states, mmap_mode="r")[0].nbytes)
        with Progress("statistics", 1, quiet=self.quiet) as bar:
            statistics = measure_statistics(
                states, static, forcing, parts, grid, size, self.workers
            )
            bar.update(1)
        self._save("times.npy", parts.times)
        self._save("static.npy", static)
        where = {"latitude": grid.latitude.tolist(), "longitude": grid.longitude.tolist()}
        meta = {"identity": self.identity, **where, "statistics": statistics.to_dict()}
        write_json(self.folder / "meta.json", meta)

    def _save(self, name: str, array: NDArray[np.generic]) -> None:
        with atomic_write(self.folder / name) as temporary, open(temporary, "wb") as file:
            np.save(file, array)


@dataclass(frozen=True)
class _Copy:
    """Copies a block of times from a source into files, whichever process it is called in.

    Args:
        source: The source.
        channels: Maps of each time: first those of the states, then those of forcing.
        constant: Names of variables that may be the same everywhere.
        predicted: Channels of states.
        files: Of states, and of forcing if there is some.
        absent: As of `ValueScan`.
    """

    source: Source
    channels: Sequence[Channel]
    constant: Sequence[str]
    predicted: int
    files: tuple[ArrayFile, ...]
    absent: NDArray[np.bool_] | None

    def __call__(self, given: tuple[int, NDArray[np.int64]]) -> Findings:
        """Copy times (n,) of the source to the rows from the first on.

        Returns:
            What is wrong with the values.

        Raises:
            InputError: A map cannot be read.
            OSError: The disk is full, for example.
        """
        row, block = given
        maps = self.source.read(self.channels, block)
        scan = ValueScan(self.channels, self.source.grid, self.constant, absent=self.absent)
        scan.look(self.source.times[block], maps)
        for file, part in zip(self.files, np.split(maps, [self.predicted], 1), strict=False):
            file.write(row, part)
        return scan.findings


def _read_json(path: Path) -> dict[str, Any]:
    """Content of a file, empty if there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found
