"""Residual vector quantisation: each digit names what the digits before it have left."""

import torch
from torch import Tensor

from refine_core.quantizers.base import Quantized, positive, straight_through
from refine_core.quantizers.codebooks import Codebooks


class ResidualVQ(Codebooks):
    """Several codebooks one after the other; the value is the sum of their vectors.

    Digit i is the code of `z - sum_{j<i} value_j` (Lee et al., 2022, arXiv 2203.01941, eq. 2), so
    digits go from coarse to fine, and each depends strongly on those before it: to be drawn by a
    `DepthHead`. The loss is the mean of the digits' own.

    Args:
        digits: g.
        codes: Size of each codebook.
        dim: d, channels of a vector.
        settings: `decay`, `commitment` and `restart_below` of each codebook, see `VQ`.

    Raises:
        InputError: An argument is out of its range.
    """

    def __init__(self, digits: int, codes: int, dim: int, **settings: float) -> None:
        positive(digits=digits)
        super().__init__(digits, codes, dim, dim, **settings)

    def forward(self, z: Tensor) -> Quantized:
        """Quantise (b, n, d) vectors; `clipped` is zero, as a codebook has no range."""
        z = self.vectors(z)
        rest, found = z, []
        for vq in self.codebooks:
            found.append(vq(rest))
            rest = rest - found[-1].value.detach()
        loss = torch.stack([part.loss for part in found]).mean()
        code = torch.cat([part.code for part in found], -1)
        return Quantized(straight_through(self.decode(code), z), code, loss, loss.new_zeros(()))

    def encode(self, z: Tensor) -> Tensor:
        """The indices (b, n, g), without gradient."""
        rest, found = self.vectors(z).detach(), []
        for vq in self.codebooks:
            found.append(vq.encode(rest))
            rest = rest - vq.decode(found[-1])
        return torch.cat(found, -1)

    def decode(self, code: Tensor) -> Tensor:
        """The sums (b, n, d) of the vectors of the indices (b, n, g)."""
        parts = [vq.decode(code[..., i : i + 1]) for i, vq in enumerate(self.codebooks)]
        return torch.stack(parts).sum(0)
