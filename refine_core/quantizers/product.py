"""Product quantisation: groups of channels, each with a codebook of its own."""

import torch
from torch import Tensor
from torch.nn import functional as F

from refine_core.errors import InputError
from refine_core.quantizers.base import Quantized, positive
from refine_core.quantizers.codebooks import Codebooks
from refine_core.quantizers.vq import VQ


class ProductQuantizer(Codebooks):
    """Consecutive groups of channels, each with a codebook of its own (Jegou et al., 2011, TPAMI).

    Args:
        groups: g, equal parts that a vector is cut into.
        codes: Size of each codebook.
        dim: d, channels of the whole vector.
        settings: `decay`, `commitment` and `restart_below` of each codebook, see `VQ`.

    Raises:
        InputError: `groups` does not divide `dim`, or an argument of `VQ` is out of its range.

    >>> import torch
    >>> import refine_core as rc
    >>> quantizer = rc.ProductQuantizer(groups=2, codes=16, dim=8)
    >>> found = quantizer(torch.randn(3, 5, 8))
    >>> found.code.shape, found.value.shape
    (torch.Size([3, 5, 2]), torch.Size([3, 5, 8]))
    """

    def __init__(self, groups: int, codes: int, dim: int, **settings: float) -> None:
        positive(groups=groups)
        if dim % groups:
            raise InputError(
                f"{groups} groups do not divide dim {dim}, expected equal groups: "
                f"choose dim {dim + groups - dim % groups} or another number of groups."
            )
        super().__init__(groups, codes, dim, dim // groups, **settings)

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
        vectors = torch.cat([vq.codebook for vq in self.codebooks])
        first = torch.arange(self.digits, device=code.device) * self.size
        return F.embedding(code + first, vectors).flatten(-2)

    def _cut(self, z: Tensor) -> list[tuple[VQ, Tensor]]:
        """Each group's codebook with its channels."""
        return list(zip(self.codebooks, self.vectors(z).chunk(self.digits, -1), strict=True))
