"""What quantisers of several codebooks have in common."""

from torch import nn

from refine_core.quantizers.base import Quantizer
from refine_core.quantizers.vq import VQ


class Codebooks(Quantizer):
    """Base of quantisers each of whose digits has a codebook of its own.

    Args:
        digits: g, count of codebooks.
        codes: Size of each.
        dim: d, channels of a vector.
        channels: Those of each codebook.
        settings: `decay`, `commitment` and `restart_below` of each, see `VQ`.

    Raises:
        InputError: An argument of `VQ` is out of its range.
    """

    def __init__(
        self, digits: int, codes: int, dim: int, channels: int, **settings: float
    ) -> None:
        super().__init__()
        self.dim, self.digits, self.size = dim, digits, codes
        self.parts = nn.ModuleList(VQ(codes, channels, **settings) for _ in range(digits))

    def update(self) -> None:
        """Update every codebook."""
        for codebook in self.codebooks:
            codebook.update()

    @property
    def codebooks(self) -> list[VQ]:
        """The codebook of each digit."""
        return [part for part in self.parts if isinstance(part, VQ)]
