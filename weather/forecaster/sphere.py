"""The pyramid of grids on the sphere: reduces by area, expands around globe and over poles.

A scale of size (h, w) has h x w cells at equal steps of latitude and longitude. Every scale begins
at the same meridian. Reducing takes the mean over the area of a cell, for all sizes, so that the
global mean is conserved exactly. Expanding interpolates linearly between the centres of cells:
around the globe in longitude, and over the poles, where the next row is the same row 180 degrees
away. Rolling by a cell of the coarsest scale commutes with both.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.pyramid import Size
from weather.fields.arrays import Array
from weather.fields.grid import Grid, edges, shares


class SpherePyramid(nn.Module):
    """Moves maps between scales; a `refine_core.pyramid.Pyramid`.

    Args:
        sizes: (latitudes, longitudes) of each scale, coarse to fine.
        rows: Edges of latitude rows in degrees, one array per scale; by default equal steps.

    Raises:
        InputError: Sizes do not grow.
    """

    def __init__(self, sizes: Sequence[Size], rows: Sequence[Array] | None = None) -> None:
        super().__init__()
        self.sizes = tuple(tuple(size) for size in sizes)
        rows = rows or [np.linspace(-90, 90, h + 1) for h, _ in self.sizes]
        for coarse, fine in zip(self.sizes, self.sizes[1:], strict=False):
            if coarse[0] > fine[0] or coarse[1] > fine[1]:
                raise InputError(
                    f"Scales go from coarse to fine, found {coarse} before {fine}: reorder them."
                )
        for source, (h, w) in enumerate(self.sizes):
            for target, (high, wide) in enumerate(self.sizes):
                if source == target or ((h, w) == (high, wide) and _same(rows, source, target)):
                    continue
                if target < source:
                    matrices = [_cover(rows[source], rows[target]), _cover_around(w, wide)]
                else:
                    near, over = _between(rows[source], rows[target])
                    matrices = [near, _around(w, wide, 0.0), over, _around(w, wide, 0.5)]
                for place, matrix in enumerate(matrices):
                    tensor = torch.from_numpy(matrix).float()
                    self.register_buffer(f"move_{source}_{target}_{place}", tensor, False)

    def resample(self, x: Tensor, source: int, target: int) -> Tensor:
        """Move `x` (..., *sizes[source]) to (..., *sizes[target])."""
        buffers = dict(self.named_buffers(recurse=False))
        name = f"move_{source}_{target}_"
        if name + "0" not in buffers:
            return x
        moved = buffers[name + "0"] @ x @ buffers[name + "1"].T
        if target > source:
            moved = moved + buffers[name + "2"] @ x @ buffers[name + "3"].T
        return moved

    def extra_repr(self) -> str:
        """Sizes, coarse to fine."""
        return " -> ".join("x".join(map(str, size)) for size in self.sizes)


class Cells(nn.Module):
    """Moves maps between the data's grid and the cells of a network, of `size`.

    It is the identity if they are the same; otherwise cells hold means over their area, and maps
    are interpolated from cells.

    Raises:
        InputError: The cells are finer than the grid.
    """

    def __init__(self, grid: Grid, size: Size) -> None:
        super().__init__()
        self.size = tuple(size)
        equal = np.linspace(-90, 90, size[0] + 1)
        if size[0] > grid.shape[0] or size[1] > grid.shape[1]:
            raise InputError(
                f"A network of {size[0]}x{size[1]} cells is finer than the data's "
                f"{grid.shape[0]}x{grid.shape[1]}: lower `grid`."
            )
        self.pyramid = SpherePyramid([size, grid.shape], [equal, edges(grid.latitude)])

    def enter(self, maps: Tensor) -> Tensor:
        """(..., *size) of maps on the grid (..., H, W)."""
        return self.pyramid.resample(maps, 1, 0)

    def leave(self, maps: Tensor) -> Tensor:
        """(..., H, W) of maps on the cells (..., *size)."""
        return self.pyramid.resample(maps, 0, 1)


class SphereConv(nn.Conv2d):
    """3 x 3 convolution on cells (b, d, h, w) of the sphere, which has no border; w is even."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, input: Tensor) -> Tensor:
        """(b, outputs, h, w)."""
        return super().forward(pad(input))


def check_even(name: str, size: Size) -> None:
    """Check that cells have neighbours over the poles: half the globe is a whole number of cells.

    Raises:
        InputError: Their number around the globe is odd.
    """
    if size[1] % 2:
        raise InputError(
            f"{name}: found {size[0]} x {size[1]}, expected an even number of longitudes, as the "
            "next cell over a pole is half the globe away: add or drop one."
        )


def pad(x: Tensor) -> Tensor:
    """Add a cell on each side: (..., h, w) to (..., h + 2, w + 2); w is even, see `check_even`."""
    half = x.shape[-1] // 2
    south, north = x[..., :1, :].roll(half, -1), x[..., -1:, :].roll(half, -1)
    return F.pad(torch.cat([south, x, north], -2), (1, 1, 0, 0), mode="circular")


def _same(rows: Sequence[Array], a: int, b: int) -> bool:
    return bool(np.allclose(rows[a], rows[b], atol=1e-6))


def _cover(fine: Array, coarse: Array) -> Array:
    """(coarse, fine) shares of the area of each coarse row in fine rows; edges in degrees."""
    a, b = (np.sin(np.deg2rad(each)) for each in (fine, coarse))
    part = shares(np.stack([a[:-1], a[1:]]), np.stack([b[:-1], b[1:]]))
    return np.asarray(part / part.sum(1, keepdims=True))


def _cover_around(fine: int, coarse: int) -> Array:
    """(coarse, fine) shares of each coarse cell in fine cells, around the globe."""
    a, b = (np.arange(count + 1) / count for count in (fine, coarse))
    return shares(np.stack([a[:-1], a[1:]]), np.stack([b[:-1], b[1:]]))


def _between(coarse: Array, fine: Array) -> tuple[Array, Array]:
    """(fine, coarse) weights of rows on the same side, and of rows reached over a pole."""
    centre = (coarse[1:] + coarse[:-1]) / 2
    extended = np.concatenate([[-180 - centre[0]], centre, [180 - centre[-1]]])
    wanted = (fine[1:] + fine[:-1]) / 2
    weight = _linear(extended, wanted)
    over = np.zeros((len(wanted), len(centre)))
    over[:, 0], over[:, -1] = weight[:, 0], weight[:, -1]
    return weight[:, 1:-1], over


def _around(coarse: int, fine: int, rotation: float) -> Array:
    """(fine, coarse) weights of interpolation around the globe, rotated by a share of a circle."""
    place = ((np.arange(fine) + 0.5) / fine + rotation) * coarse - 0.5
    lower = np.floor(place).astype(int)
    share = place - lower
    matrix = np.zeros((fine, coarse))
    np.add.at(matrix, (np.arange(fine), lower % coarse), 1 - share)
    np.add.at(matrix, (np.arange(fine), (lower + 1) % coarse), share)
    return matrix


def _linear(points: Array, wanted: Array) -> Array:
    """(wanted, points) weights of linear interpolation."""
    upper = np.clip(np.searchsorted(points, wanted), 1, len(points) - 1)
    share = (wanted - points[upper - 1]) / (points[upper] - points[upper - 1])
    matrix = np.zeros((len(wanted), len(points)))
    rows = np.arange(len(wanted))
    matrix[rows, upper - 1], matrix[rows, upper] = 1 - share, share
    return matrix
