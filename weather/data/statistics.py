"""Means and standard deviations over the globe and over time, of more maps than fit in memory."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refine_core.app.processes.workers import Workers, map_in_workers
from weather.data.time_parts import TimeParts
from weather.fields.arrays import Array
from weather.fields.grid import Grid

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of the training part, in SI units, weighted by area.

    Args:
        mean: (C,) mean of each channel.
        std: (C,) standard deviation of each channel.
        residual_std: (C,) standard deviation of the change over a step.
        static_mean: (S,) mean of each static field.
        static_std: (S,) standard deviation of each static field.
        forcing_mean: (F,) mean of each forcing field.
        forcing_std: (F,) standard deviation of each forcing field.
    """

    mean: Real
    std: Real
    residual_std: Real
    static_mean: Real
    static_std: Real
    forcing_mean: Real
    forcing_std: Real

    def to_dict(self) -> dict[str, list[float]]:
        """The statistics as lists for JSON."""
        return {name: values.tolist() for name, values in vars(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, list[float]]) -> "Statistics":
        """Statistics from the lists of `to_dict`."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: np.array(data[name], np.float64) for name in names})


def measure_statistics(
    states: Array | Path,
    static: Array,
    forcing: Array | Path,
    parts: TimeParts,
    grid: Grid,
    size: int,
    workers: Workers = 1,
) -> Statistics:
    """Statistics of the training part; standard deviations of zero are given as one.

    Args:
        states: (T, C, H, W), or a .npy file of them.
        static: (S, H, W).
        forcing: (T, F, H, W), or a .npy file of them; of no fields T may be 0.
        parts: The T times and their parts.
        grid: The grid of the maps.
        size: States to read at a time.
        workers: Processes that share the reading of files.
    """
    train, none = np.flatnonzero(parts.inside("train")), np.zeros(1, np.int64)
    mean, std = moments(states, train, grid, size, workers=workers)
    starts = parts.starts("train")
    _, residual_std = moments(states, starts, grid, size, parts.stride, workers=workers)
    static_mean, static_std = moments(static[None], none, grid, 1)
    forced = train if isinstance(forcing, Path) or len(forcing) else none[:0]
    forcing_mean, forcing_std = moments(forcing, forced, grid, size, workers=workers)

    def divisor(std: Real) -> Real:
        return np.where(std > 0, std, 1.0)

    return Statistics(
        mean,
        divisor(std),
        divisor(residual_std),
        static_mean,
        divisor(static_std),
        forcing_mean,
        divisor(forcing_std),
    )


def moments(
    maps: Array | Path,
    rows: NDArray[np.int64],
    grid: Grid,
    size: int,
    change: int = 0,
    *,
    workers: Workers = 1,
) -> tuple[Real, Real]:
    """Mean and standard deviation (C,) of maps, weighted by area; zeros of no rows.

    Args:
        maps: (T, C, H, W), or a .npy file of them; cells that are NaN, at all times, do not count.
        rows: (n,) the maps to take.
        grid: The grid of the maps.
        size: Maps to read at a time.
        change: If not zero, moments of `maps[row + change] - maps[row]` are returned instead.
        workers: Processes that share the reading of a file; the result does not depend on it.
    """
    blocks = [rows[first : first + size] for first in range(0, len(rows), size)]
    if not blocks:
        channels = _opened(maps).shape[1]
        return np.zeros(channels), np.zeros(channels)
    weight = grid.area() / (len(rows) * grid.shape[0] * grid.shape[1])
    # Squares about a value nearby do not cancel.
    channels = range(_opened(maps).shape[1])
    begin = (_values(maps, blocks[0], c, change) for c in channels)
    about = np.array([(np.nanmean(x), _share(x[0], grid)) for x in begin])
    centre, share = about.reshape(-1, 2).T
    sums = _Sums(maps, change, centre, weight)
    shared = workers if isinstance(maps, Path) else 1
    total, square = np.zeros(len(centre)), np.zeros(len(centre))
    for first, second in map_in_workers(sums, blocks, len(blocks), shared):
        total += first
        square += second
    total, square = total / share, square / share
    return centre + total, np.sqrt(np.maximum(square - total**2, 0))


@dataclass(frozen=True, eq=False)
class _Sums:
    """Weighted sums (C,) of some maps, and of their squares, about a centre (C,)."""

    maps: Array | Path
    change: int
    centre: Real
    weight: Real

    def __call__(self, rows: NDArray[np.int64]) -> tuple[Real, Real]:
        sums, squares = np.zeros((2, len(self.centre), len(self.weight)))
        for c, centre in enumerate(self.centre):  # all at once take eight times the memory
            values = _values(self.maps, rows, c, self.change)
            values -= centre
            np.nan_to_num(values, copy=False)
            sums[c] = values.sum((0, 2))
            squares[c] = np.einsum("thw,thw->h", values, values)
        return sums @ self.weight, squares @ self.weight


def _share(values: Real, grid: Grid) -> float:
    """Share of the globe whose cells have values, of a map (H, W)."""
    there = ~np.isnan(values)
    return 1.0 if there.all() else float(there.mean(1) @ grid.area() / grid.area().sum())


def _values(maps: Array | Path, rows: NDArray[np.int64], channel: int, change: int) -> Real:
    """Maps (n, H, W) of a channel in some rows, or what they change by."""
    known = _opened(maps)[:, channel]
    values = known[rows + change] - known[rows] if change else known[rows]
    return np.asarray(values, np.float64)


def _opened(maps: Array | Path) -> Array:
    """Maps of a file as long as they are needed, so that its pages do not stay in memory."""
    return np.load(maps, mmap_mode="r") if isinstance(maps, Path) else maps
