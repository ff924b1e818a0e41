"""Means and standard deviations over the globe and over time, of more maps than fit in memory."""

import numpy as np
from numpy.typing import NDArray

from weather.data.config import DataConfig
from weather.data.prepared import Statistics
from weather.data.time_parts import inside, starts, stride
from weather.fields.arrays import Array
from weather.fields.grid import Grid

Real = NDArray[np.float64]


def measure(
    states: Array,
    static: Array,
    forcing: Array,
    times: NDArray[np.datetime64],
    data: DataConfig,
    grid: Grid,
    size: int,
) -> Statistics:
    """Statistics of the training part.

    Args:
        states: (T, C, H, W), perhaps mapped into memory.
        static: (S, H, W).
        forcing: (T, F, H, W), perhaps mapped into memory.
        times: (T,).
        data: Says what belongs to the training part.
        grid: Of the maps.
        size: States to read at a time.
    """
    train = np.flatnonzero(inside(times, data, "train"))
    mean, std = moments(states, train, grid, size)
    first, change = starts(times, data, "train", 1), stride(times, data.step_hours)
    _, residual_std = moments(states, first, grid, size, change)
    given, still = (
        moments(forcing, train, grid, size),
        moments(static[None], train[:1] * 0, grid, 1),
    )
    used = [np.where(std > 0, std, 1.0) for std in (std, residual_std, still[1], given[1])]
    return Statistics(mean, used[0], used[1], still[0], used[2], given[0], used[3])


def moments(
    maps: Array, rows: NDArray[np.int64], grid: Grid, size: int, change: int = 0
) -> tuple[Real, Real]:
    """Mean and standard deviation (C,) of maps, weighted by area.

    Args:
        maps: (T, C, H, W), perhaps mapped into memory.
        rows: (n,) which of them.
        grid: Of the maps.
        size: Maps to read at a time.
        change: If not zero, of `maps[row + change] - maps[row]` instead.
    """
    weight = grid.area() / (len(rows) * grid.shape[0] * grid.shape[1])
    total, square, centre = (np.zeros(maps.shape[1]) for _ in range(3))
    for first in range(0, len(rows), size):
        row = rows[first : first + size]
        values = (maps[row + change] - maps[row] if change else maps[row]).astype(np.float64)
        if first == 0:  # about a value nearby, squares do not cancel
            centre = values.mean((0, 2, 3))
        values -= centre[:, None, None]
        total += values.sum((0, 3)) @ weight
        square += np.einsum("tchw,tchw->ch", values, values) @ weight
    return centre + total, np.sqrt(np.maximum(square - total**2, 0))
