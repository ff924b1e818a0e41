"""Means and standard deviations over the globe and over time, of more maps than fit in memory."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    states: Array, static: Array, forcing: Array, parts: TimeParts, grid: Grid, size: int
) -> Statistics:
    """Statistics of the training part; standard deviations of zero are given as one.

    Args:
        states: (T, C, H, W), perhaps mapped into memory.
        static: (S, H, W).
        forcing: (T, F, H, W), perhaps mapped into memory.
        parts: The T times and their parts.
        grid: The grid of the maps.
        size: States to read at a time.
    """
    train = np.flatnonzero(parts.inside("train"))
    mean, std = moments(states, train, grid, size)
    _, residual_std = moments(states, parts.starts("train"), grid, size, parts.stride)
    static_mean, static_std = moments(static[None], np.zeros(1, np.int64), grid, 1)
    forcing_mean, forcing_std = moments(forcing, train, grid, size)

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
    maps: Array, rows: NDArray[np.int64], grid: Grid, size: int, change: int = 0
) -> tuple[Real, Real]:
    """Mean and standard deviation (C,) of maps, weighted by area.

    Args:
        maps: (T, C, H, W), perhaps mapped into memory.
        rows: (n,) the maps to take.
        grid: The grid of the maps.
        size: Maps to read at a time.
        change: If not zero, moments of `maps[row + change] - maps[row]` are returned instead.
    """
    weight = grid.area() / (len(rows) * grid.shape[0] * grid.shape[1])
    total, square, centre = (np.zeros(maps.shape[1]) for _ in range(3))
    for first in range(0, len(rows), size):
        row = rows[first : first + size]
        values = (maps[row + change] - maps[row] if change else maps[row]).astype(np.float64)
        if first == 0:  # squares about a value nearby do not cancel
            centre = values.mean((0, 2, 3))
        values -= centre[:, None, None]
        total += values.sum((0, 3)) @ weight
        square += np.einsum("tchw,tchw->ch", values, values) @ weight
    return centre + total, np.sqrt(np.maximum(square - total**2, 0))
