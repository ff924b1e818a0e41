"""Residual vector quantisation: each digit names what the digits before it have left."""

import torch
from torch import Tensor, nn

from refine_core.quantizers.base import Quantized, Quantizer, positive, straight_through
from refine_core.quantizers.vq import VQ


class ResidualVQ(Quantizer):
    """Several codebooks one after the other; the value is the sum of their vectors.

    Digit i is the code of `z - sum_{j<i} value_j` (Lee et al., 2022, arXiv 2203.01941, eq. 2), so
    digits go from coarse to fine, and each depends strongly on those before it: to be drawn by a
    `DepthHead`. The loss is the mean of the digits' own.

    Args:
        digits: g.
        codes: Size of each codebook.
        dim: d, channels of a vector.
        decay: See `VQ`, as for all further arguments.
        commitment: See `VQ`.
        restart_below: See `VQ`.

    Raises:
        InputError: An argument is out of its range.
    """

    def __init__(
        self,
        digits: int,
        codes: int,
        dim: int,
        *,
        decay: float = 0.99,
        commitment: float = 0.25,
        restart_below: float = 0.1,
    ) -> None:
        super().__init__()
        positive(digits=digits)
        self.dim, self.digits, self.size = dim, digits, codes
        self.parts = nn.ModuleList(
            VQ(
                codes,
                dim,
                decay=decay,
                commitment=commitment,
                restart_below=restart_below,
            )
            for _ in range(digits)
        )

    def forward(self, z: Tensor) -> Quantized:
        """Quantise (b, n, d) vectors; `clipped` is zero, as a codebook has no range."""
        z = self.vectors(z)
        rest, found = z, []
        for vq in self._vqs():
            found.append(vq(rest))
            rest = rest - found[-1].value.detach()
        loss = torch.stack([part.loss for part in found]).mean()
        code = torch.cat([part.code for part in found], -1)
        return Quantized(straight_through(self.decode(code), z), code, loss, loss.new_zeros(()))

    def encode(self, z: Tensor) -> Tensor:
        """The indices (b, n, g), without gradient."""
        rest, found = self.vectors(z).detach(), []
        for vq in self._vqs():
            found.append(vq.encode(rest))
            rest = rest - vq.decode(found[-1])
        return torch.cat(found, -1)

    def decode(self, code: Tensor) -> Tensor:
        """The sums (b, n, d) of the vectors of the indices (b, n, g)."""
        parts = [vq.decode(code[..., i : i + 1]) for i, vq in enumerate(self._vqs())]
        return torch.stack(parts).sum(0)

    def update(self) -> None:
        """Update every codebook."""
        for vq in self._vqs():
            vq.update()

    def _vqs(self) -> list[VQ]:
        return [part for part in self.parts if isinstance(part, VQ)]
