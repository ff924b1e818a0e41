"""Finite scalar quantisation: every channel rounds to a few levels."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.quantizers.base import Quantized, Quantizer, fraction, straight_through

_MARGIN = 1e-3  # FSQ's box is this much wider than its levels: tanh can reach the outermost ones


class FSQ(Quantizer):
    """Finite scalar quantisation: every channel rounds to a few levels.

    Mentzer et al., 2023, arXiv 2309.15505.

    Channel i of `project(z)` is `(h tanh(z_i + s) - o) / (L_i // 2)` with
    `h = (L_i - 1) (1 + 1e-3) / 2`, `o` a half for an even number of levels, zero for an odd one,
    and `s = artanh(o / h)`, so that zero stays zero (section 3.1). A code is one number,
    `sum_i digit_i prod_{j<i} L_j`. A value is no fixed point: `encode` bounds its input, so that
    `encode(decode(code))` may differ from `code`.

    `clipped` is the fraction of channel inputs beyond the centre of the outermost level,
    `|z_i + s| > artanh(1 / 1.001)`, about 3.8.

    Args:
        levels: L_i, per channel; d is their number.

    Raises:
        InputError: No levels, or fewer than three on a channel.

    >>> import torch
    >>> import refine_core as rc
    >>> quantizer = rc.FSQ([5, 3])  # 15 codes for vectors of two channels
    >>> quantizer.encode(torch.tensor([[[0.0, 0.0], [9.0, -9.0]]])).tolist()
    [[[7], [4]]]
    >>> quantizer.decode(torch.tensor([[[7], [4]]])).tolist()
    [[[0.0, 0.0], [1.0, -1.0]]]
    """

    digits = 1
    levels: Tensor
    radix: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        if not levels or min(levels) < 3:
            raise InputError(
                f"levels are {list(levels)}, expected a list of three or more on each channel: "
                "for two levels a channel use Bitwise."
            )
        self.dim, self.size = len(levels), math.prod(levels)
        count = torch.tensor(levels)
        radix = torch.tensor([math.prod(levels[:i]) for i in range(len(levels))])
        self.register_buffer("levels", count, persistent=False)
        self.register_buffer("radix", radix, persistent=False)

    def project(self, z: Tensor) -> Tensor:
        """The vectors in the box, where levels are multiples of `1 / (L_i // 2)`."""
        half, offset, shift = self._box(z)
        return (half * torch.tanh(z + shift) - offset) / (self.levels // 2)

    def forward(self, z: Tensor) -> Quantized:
        """Quantise (b, n, d) vectors; there is nothing to learn, so the loss is zero."""
        z = self.vectors(z)
        code = self.encode(z)
        outside = (z + self._box(z)[2]).abs() > math.atanh(1 / (1 + _MARGIN))
        value = straight_through(self.decode(code), self.project(z))
        return Quantized(value, code, value.new_zeros(()), fraction(outside))

    @torch.no_grad()
    def encode(self, z: Tensor) -> Tensor:
        """The index (b, n, 1) of the levels, without gradient."""
        half = self.levels // 2
        digit = (self.project(self.vectors(z)) * half).round().long() + half
        digit = digit.clamp(min=torch.zeros_like(self.levels), max=self.levels - 1)
        return (digit * self.radix).sum(-1, keepdim=True)

    def decode(self, code: Tensor) -> Tensor:
        """The values (b, n, d) in [-1, 1] of the indices (b, n, 1)."""
        half = self.levels // 2
        digit = code // self.radix % self.levels
        return (digit - half) / half

    def extra_repr(self) -> str:
        """The arguments."""
        return f"levels={self.levels.tolist()}"

    def _box(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        half = (self.levels - 1).to(z.dtype) * (1 + _MARGIN) / 2
        offset = (self.levels % 2 == 0).to(z.dtype) / 2
        return half, offset, torch.atanh(offset / half)
