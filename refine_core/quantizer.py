"""Quantisers: scalar (FSQ) and product ones here, beside `vq.VQ` and `bitwise.Bitwise`.

All have the interface `Quantizer`, see `quantized`.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refine_core.bitwise import Bitwise
from refine_core.errors import InputError
from refine_core.quantized import Quantized, Quantizer, fraction, positive, straight_through
from refine_core.vq import VQ, Learn, Metric

__all__ = ["FSQ", "Bitwise", "ProductQuantizer", "Quantized", "Quantizer"]

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


class ProductQuantizer(Quantizer):
    """Consecutive groups of channels, each with a codebook of its own (Jegou et al., 2011, TPAMI).

    Args:
        groups: g, equal parts that a vector is cut into.
        codes: Size of each codebook.
        dim: d, channels of the whole vector.
        metric: As in `VQ`, like all further arguments.
        learn: See `VQ`.
        decay: See `VQ`.
        commitment: See `VQ`.
        restart_below: See `VQ`.

    Raises:
        InputError: `groups` does not divide `dim`, or an argument of `VQ` is out of its range.
    """

    def __init__(
        self,
        groups: int,
        codes: int,
        dim: int,
        *,
        metric: Metric = "euclidean",
        learn: Learn = "ema",
        decay: float = 0.99,
        commitment: float = 0.25,
        restart_below: float = 0.1,
    ) -> None:
        super().__init__()
        positive(groups=groups)
        if dim % groups:
            raise InputError(
                f"{groups} groups do not divide dim {dim}, expected equal groups: "
                f"choose dim {dim + groups - dim % groups} or another number of groups."
            )
        self.dim, self.digits, self.size = dim, groups, codes
        self.parts = nn.ModuleList(
            VQ(
                codes,
                dim // groups,
                metric=metric,
                learn=learn,
                decay=decay,
                commitment=commitment,
                restart_below=restart_below,
            )
            for _ in range(groups)
        )

    def project(self, z: Tensor) -> Tensor:
        """The groups' projections, side by side."""
        return torch.cat([vq.project(x) for vq, x in self._cut(z)], -1)

    def forward(self, z: Tensor) -> Quantized:
        """Quantise (b, n, d) vectors; the loss is the mean of the groups', `clipped` is zero."""
        parts = [vq(x) for vq, x in self._cut(z)]
        return Quantized(
            torch.cat([part.value for part in parts], -1),
            torch.cat([part.code for part in parts], -1),
            torch.stack([part.loss for part in parts]).mean(),
            torch.stack([part.clipped for part in parts]).mean(),
        )

    def encode(self, z: Tensor) -> Tensor:
        """The indices (b, n, g), one per group, without gradient."""
        return torch.cat([vq.encode(x) for vq, x in self._cut(z)], -1)

    def decode(self, code: Tensor) -> Tensor:
        """The vectors (b, n, d) of the indices (b, n, g)."""
        codebooks = torch.cat([vq.project(vq.codebook) for vq in self._vqs()])
        first = torch.arange(self.digits, device=code.device) * self.size
        return F.embedding(code + first, codebooks).flatten(-2)

    def update(self) -> None:
        """Update every group's codebook."""
        for vq in self._vqs():
            vq.update()

    def _vqs(self) -> list[VQ]:
        return [part for part in self.parts if isinstance(part, VQ)]

    def _cut(self, z: Tensor) -> list[tuple[VQ, Tensor]]:
        """Each group's codebook with its channels."""
        return list(zip(self._vqs(), self.vectors(z).chunk(self.digits, -1), strict=True))
