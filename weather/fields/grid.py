"""The latitude-longitude grid: areas of its cells, and overlaps of the cells of two grids."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.fields.arrays import Array


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular latitude-longitude grid; rows at the poles are half cells.

    Args:
        latitude: (H,) degrees, ascending.
        longitude: (W,) degrees, ascending in [0, 360).

    >>> import numpy as np
    >>> import weather
    >>> europe = weather.Grid(np.arange(35.0, 71.0), np.arange(0.0, 41.0))
    >>> europe.shape
    (36, 41)
    """

    latitude: Array
    longitude: Array

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return len(self.latitude), len(self.longitude)

    @cached_property
    def _gaps(self) -> Array:
        """(W,) degrees from each column to the next one in the east."""
        return np.diff(self.longitude, append=self.longitude[0] + 360)

    @property
    def is_global(self) -> bool:
        """Whether the columns go around the globe."""
        return bool(self._gaps.max() < 1.5 * np.median(self._gaps))

    @property
    def eastward(self) -> NDArray[np.int64]:
        """(W,) columns from west to east; those of a part of the globe begin behind its gap."""
        first = 0 if self.is_global else (int(self._gaps.argmax()) + 1) % len(self.longitude)
        return np.roll(np.arange(len(self.longitude)), -first)

    def area(self) -> Array:
        """(H,) exact area of a cell in each row, of mean 1.

        The share of the sphere is proportional to the difference of the sines of a cell's edges.
        """
        weight = np.diff(np.sin(np.deg2rad(edges(self.latitude))))
        return np.asarray(weight / weight.mean())

    def __eq__(self, other: object) -> bool:
        """Whether all coordinates agree to a hundredth of a degree."""
        return (
            isinstance(other, Grid)
            and self.shape == other.shape
            and np.allclose(self.latitude, other.latitude, atol=0.01)
            and np.allclose(self.longitude, other.longitude, atol=0.01)
        )

    def __hash__(self) -> int:
        """Hash of the shape."""
        return hash(self.shape)


def equiangular(rows: int, columns: int, *, poles: bool = False) -> Grid:
    """Grid of equal steps around the globe, with a column at longitude 0.

    Args:
        rows: H.
        columns: W.
        poles: Whether the outermost rows are at the poles, or half a step from them.
    """
    latitude = (np.arange(rows) + 0.5) * 180 / rows - 90
    if poles:
        latitude = np.linspace(-90, 90, rows)
    return Grid(latitude, np.arange(columns) * 360 / columns)


def parse_grid(text: str) -> Grid:
    """Global grid of a number of rows and columns; with rows at the poles if they are odd.

    >>> parse_grid("3x4").latitude.tolist(), parse_grid("2x4").latitude.tolist()
    ([-90.0, 0.0, 90.0], [-45.0, 45.0])

    Raises:
        InputError: The text has another form.
    """
    rows, _, columns = text.partition("x")
    if not (rows.isdecimal() and columns.isdecimal() and int(rows) > 1 and int(columns) > 1):
        raise InputError(
            f"Found the grid {text!r}, expected numbers of rows and columns such as 32x64 (no row "
            "at the poles) or 121x240 (rows at the poles, as their number is odd)."
        )
    return equiangular(int(rows), int(columns), poles=int(rows) % 2 == 1)


def edges(latitude: Array) -> Array:
    """(H + 1,) edges of latitude rows, in degrees: midway between rows, and the poles.

    >>> edges(np.array([-90.0, 0.0, 90.0])).tolist()
    [-90.0, -45.0, 45.0, 90.0]
    """
    inner = (latitude[1:] + latitude[:-1]) / 2
    step = np.diff(latitude)
    first = max(-90.0, latitude[0] - step[0] / 2)
    last = min(90.0, latitude[-1] + step[-1] / 2)
    return np.concatenate([[first], inner, [last]])


def shares(source: Array, target: Array, period: float = 0.0) -> Array:
    """(H, h) shares of cells of the target that cells of the source cover.

    Args:
        source: (2, h) lower and upper edges.
        target: (2, H) likewise.
        period: After which coordinates repeat; 0 where they do not.
    """
    part = np.zeros((target.shape[1], source.shape[1]))
    for turn in (-period, 0.0, period) if period else (0.0,):
        low = np.maximum(source[0] + turn, target[0][:, None])
        part += np.clip(np.minimum(source[1] + turn, target[1][:, None]) - low, 0, None)
    return np.asarray(part / (target[1] - target[0])[:, None])
