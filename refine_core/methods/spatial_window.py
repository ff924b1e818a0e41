"""Spatial Markov attention (MVAR, Zhang et al., 2025, arXiv 2505.12742, section 3.2).

A token sees only the tokens of its scale that are near it on the scale's grid,

    A_ij = softmax_j(q_i k_j)  over  max_axis |x_i - x_j| <= radius,

so with L blocks a code depends on states within L radius (+ 1 cell of the embedding's
convolution). With history "markov" a scale sees nothing of the scales before but the state that it
refines, and this is the spatial and scale Markov model of the paper. With history "full" coarser
scales stay visible as a whole.

It limits what can be learnt; it saves no time here, as masked attention is computed in full.
"""

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from refine_core.config.ranges import NonNegativeInt, PositiveInt
from refine_core.embed import ContextT
from refine_core.errors import InputError
from refine_core.methods.base import Method, grid_tokenizer
from refine_core.methods.registry import method
from refine_core.schedule import Scale
from refine_core.tokenizer import DataT
from refine_core.tokens import Tokens

if TYPE_CHECKING:
    from refine_core.refiner import Refiner


@method("spatial_window")
class SpatialWindow(Method[DataT, Tensor, Tensor, ContextT]):
    """Hides tokens of the same scale that are far.

    Args:
        radius: Largest distance, in cells of the scale's grid along each axis, that is seen; one
            that spans every grid changes nothing.
        periodic: Axes that close in a circle, such as 1 for longitude.
    """

    def __init__(self, radius: PositiveInt = 2, periodic: tuple[NonNegativeInt, ...] = ()) -> None:
        super().__init__()
        self.radius, self.periodic = radius, periodic

    def attach(self, refiner: "Refiner[DataT, Tensor, Tensor, ContextT]") -> None:
        """Measure the distances of each scale's cells."""
        for k, scale in enumerate(grid_tokenizer(self.name, refiner).schedule):
            if any(axis >= len(scale.size) for axis in self.periodic):
                raise InputError(
                    f"{self.name}: found periodic axes {list(self.periodic)} of grids with "
                    f"{len(scale.size)} axes, expected numbers below that."
                )
            far = distances(scale, self.periodic) > self.radius
            bias = torch.zeros(far.shape).masked_fill(far, -torch.inf)[None, None]
            self.register_buffer(f"bias_{k}", bias if bool(far.any()) else None, persistent=False)

    def tokens(self, tokens: Tokens, state: Tensor, k: int, note: Tensor | None) -> Tokens:
        """Tokens with a bias that hides those far away."""
        bias = self._buffers[f"bias_{k}"]
        if bias is None:
            return tokens
        return replace(tokens, bias=bias if tokens.bias is None else tokens.bias + bias)


def distances(scale: Scale, periodic: tuple[int, ...] = ()) -> Tensor:
    """Distances (n, n) of a scale's tokens: cells along the axis where they are farthest apart.

    >>> distances(Scale((1, 4)), periodic=(1,)).tolist()[0]
    [0, 1, 2, 1]
    """
    cells = torch.tensor(list(itertools.product(*map(range, scale.size))))[scale.cells]
    apart = (cells[:, None] - cells).abs()
    for axis in periodic:
        apart[..., axis] = torch.minimum(apart[..., axis], scale.size[axis] - apart[..., axis])
    return apart.amax(-1)
