"""No quantisation: codes are the vectors themselves, real numbers."""

from torch import Tensor

from refine_core.quantizers.base import Quantized, Quantizer, positive


class Exact(Quantizer):
    """The identity, for heads that predict real-valued codes (`refine_core.heads.gaussian`).

    Its digits are the channels; `size` is 0, as a real number has no count of values.

    Args:
        dim: d, channels of a vector.

    Raises:
        InputError: `dim` is not positive.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        positive(dim=dim)
        self.dim, self.digits, self.size = dim, dim, 0

    def forward(self, z: Tensor) -> Quantized:
        """The vectors (b, n, d) as their own code and value; nothing is learnt, or clipped."""
        return Quantized.known(self.vectors(z))

    def encode(self, z: Tensor) -> Tensor:
        """The vectors (b, n, d), without gradient."""
        return self.vectors(z).detach()

    def decode(self, code: Tensor) -> Tensor:
        """The code itself."""
        return code

    def extra_repr(self) -> str:
        """The argument."""
        return f"dim={self.dim}"
