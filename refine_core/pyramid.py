"""Gaussian and Laplacian pyramids on regular grids.

A pyramid resamples along each axis by a small matrix, so that any linear reduce / expand pair
(Burt and Adelson's blur, area pooling, a weighted mean on the sphere) is the same few lines. With
`G_k` the data at scale `k`, counted from the coarsest (`k = 0`) to the finest (`k = K - 1`), as in
generation:

    reduce:     G_{k-1} = down(G_k)                   (paper, eq. 7 and 13)
    Laplacian:  L_k     = G_k - up(G_{k-1}),  L_0 = G_0        (eq. 8 and 14)
    collapse:   G_k     = L_k + up(G_{k-1})                    (eq. 9 and 19)

Collapse inverts Laplacian exactly for every pair of matrices. The paper counts scales the other
way round.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.errors import InputError

Size = tuple[int, ...]
AxisMatrix = Callable[[int, int], Tensor]
"""Map (input length, output length) to a matrix (output, input)."""


class Pyramid(Protocol):
    """What the residual loop needs of a pyramid, which is a module too."""

    sizes: tuple[Size, ...]

    def resample(self, x: Tensor, source: int, target: int) -> Tensor:
        """Reduce `x` to a coarser scale, or expand it to a finer one."""
        ...


class GridPyramid(nn.Module):
    """Separable linear pyramid over the trailing axes of a tensor.

    Args:
        sizes: One size per scale, coarse to fine, e.g. `((1, 1), (2, 2), (4, 4), (7, 7))`.
        reduce: Matrix `(coarse, fine)` for one axis, called with `(fine, coarse)` lengths.
        expand: Matrix `(fine, coarse)` for one axis, called with `(coarse, fine)` lengths.
        adjacent: Whether moves over several scales go through every scale between (Gaussian
            pyramid) or in one step (VAR's area pooling).

    Raises:
        InputError: If sizes do not grow or differ in their number of axes.
    """

    def __init__(
        self, sizes: Sequence[Size], reduce: AxisMatrix, expand: AxisMatrix, *, adjacent: bool
    ) -> None:
        super().__init__()
        self.sizes = tuple(tuple(size) for size in sizes)
        _check_sizes(self.sizes)
        for source in range(len(self.sizes)):
            for target in range(len(self.sizes)):
                if source != target:
                    step = 1 if target > source else -1
                    path = (
                        list(range(source, target + step, step)) if adjacent else [source, target]
                    )
                    for axis in range(len(self.sizes[0])):
                        lengths = [self.sizes[k][axis] for k in path]
                        matrix = _compose(lengths, expand if step > 0 else reduce)
                        name = _name(source, target, axis)
                        self.register_buffer(name, matrix.float(), persistent=False)

    def resample(self, x: Tensor, source: int, target: int) -> Tensor:
        """Move `x` of shape (..., *sizes[source]) to shape (..., *sizes[target]).

        Scales of one size are one grid: there `x` stays as it is.
        """
        axes = len(self.sizes[0])
        for axis in range(axes if self.sizes[source] != self.sizes[target] else 0):
            matrix = self.get_buffer(_name(source, target, axis)).to(x.dtype)
            place = axis - axes
            x = (x.movedim(place, -1) @ matrix.T).movedim(-1, place)
        return x

    def gaussian(self, x: Tensor) -> list[Tensor]:
        """Gaussian pyramid of `x` (..., *sizes[-1]), coarse to fine."""
        finest = len(self.sizes) - 1
        return [self.resample(x, finest, k) for k in range(finest + 1)]

    def laplacian(self, x: Tensor) -> list[Tensor]:
        """Laplacian bands of `x` (..., *sizes[-1]), coarse to fine, the low-pass rest first."""
        levels = self.gaussian(x)
        return levels[:1] + [
            fine - self.resample(coarse, k, k + 1)
            for k, (coarse, fine) in enumerate(pairwise(levels))
        ]

    def collapse(self, bands: Sequence[Tensor]) -> Tensor:
        """Sum of the expanded bands: the inverse of `laplacian`."""
        x = bands[0]
        for k, band in enumerate(bands[1:]):
            x = self.resample(x, k, k + 1) + band
        return x

    def extra_repr(self) -> str:
        """Sizes, coarse to fine."""
        return " -> ".join("x".join(map(str, size)) for size in self.sizes)


def gaussian(sizes: Sequence[Size]) -> GridPyramid:
    """Burt and Adelson's pyramid: separable [1, 4, 6, 4, 1] / 16, mirrored borders.

    `expand` is twice the adjoint of `reduce` inside, with rows summing to one at the borders, so
    constants are kept by both. Each axis must halve (rounded up) from scale to scale, or stay.

    Args:
        sizes: Coarse to fine, as in `GridPyramid`.

    Raises:
        InputError: A size is not half (rounded up) of the next.

    >>> import torch
    >>> import refine_core as rc
    >>> pyramid = rc.gaussian([(7, 7), (14, 14), (28, 28)])
    >>> x = torch.rand(2, 28, 28)
    >>> bool((pyramid.collapse(pyramid.laplacian(x)) - x).abs().max() < 1e-6)
    True
    """
    return GridPyramid(sizes, _blur_down, _blur_up, adjacent=True)


def area(sizes: Sequence[Size], mode: str = "bicubic") -> GridPyramid:
    """VAR's pyramid: mean over the area going down, `mode` interpolation going up, any sizes.

    Args:
        sizes: Coarse to fine, as in `GridPyramid`.
        mode: 'bicubic' (VAR), 'bilinear' or 'nearest'.

    >>> import torch
    >>> import refine_core as rc
    >>> pyramid = rc.area([(1, 1), (2, 2), (5, 5)])
    >>> [tuple(level.shape) for level in pyramid.gaussian(torch.zeros(1, 3, 5, 5))]
    [(1, 3, 1, 1), (1, 3, 2, 2), (1, 3, 5, 5)]
    """
    return GridPyramid(sizes, _area_down, partial(_interpolate, mode=mode), adjacent=False)


def halvings(size: Size, scales: int) -> tuple[Size, ...]:
    """Sizes of a dyadic pyramid, coarse to fine: each axis halves, rounded up.

    >>> halvings((28, 28), 3)
    ((7, 7), (14, 14), (28, 28))
    """
    return tuple(tuple(-(-n // 2**k) for n in size) for k in reversed(range(scales)))


def _compose(lengths: list[int], matrix: AxisMatrix) -> Tensor:
    product = torch.eye(lengths[0], dtype=torch.float64)
    for source, target in pairwise(lengths):
        product = matrix(source, target).double() @ product
    return product


def _blur_down(fine: int, coarse: int) -> Tensor:
    if fine == coarse:
        return torch.eye(fine)
    if coarse != math.ceil(fine / 2):
        raise InputError(
            f"A Gaussian pyramid halves each axis: after {fine} comes {math.ceil(fine / 2)}, "
            f"found {coarse}; "
            "use `area` for other sizes."
        )
    matrix = torch.zeros(coarse, fine)
    period = max(2 * (fine - 1), 1)
    for row in range(coarse):
        for tap, weight in zip(range(2 * row - 2, 2 * row + 3), (1, 4, 6, 4, 1), strict=True):
            mirrored = min(tap % period, period - tap % period)
            matrix[row, mirrored] += weight / 16
    return matrix


def _blur_up(coarse: int, fine: int) -> Tensor:
    if fine == coarse:
        return torch.eye(fine)
    offset = torch.arange(fine)[:, None] - 2 * torch.arange(coarse)[None, :] + 2
    kernel = torch.tensor([1.0, 4, 6, 4, 1, 0])
    matrix = kernel[torch.where((offset >= 0) & (offset < 5), offset, 5)]
    return matrix / matrix.sum(1, keepdim=True)


def _area_down(fine: int, coarse: int) -> Tensor:
    return F.adaptive_avg_pool1d(torch.eye(fine, dtype=torch.float64), coarse).T


def _interpolate(coarse: int, fine: int, mode: str) -> Tensor:
    columns = torch.eye(coarse, dtype=torch.float64)[None, :, :, None]
    align = None if mode == "nearest" else False
    return F.interpolate(columns, size=(fine, 1), mode=mode, align_corners=align)[0, :, :, 0].T


def _name(source: int, target: int, axis: int) -> str:
    return f"move_{source}_{target}_{axis}"


def _check_sizes(sizes: tuple[Size, ...]) -> None:
    if not sizes or any(len(size) != len(sizes[0]) or min(size, default=0) < 1 for size in sizes):
        raise InputError(
            f"Pyramid sizes need one positive length per axis at every scale, found {sizes}."
        )
    for coarse, fine in pairwise(sizes):
        if any(c > f for c, f in zip(coarse, fine, strict=True)):
            raise InputError(
                f"Pyramid sizes go from coarse to fine, found {coarse} before {fine}: "
                "reverse them."
            )
