"""A quantiser of some channels only, so that a scale may be predicted group of digits by group."""

import torch.nn.functional as F
from torch import Tensor

from refine_core.errors import InputError
from refine_core.quantizers.base import Quantized, Quantizer


class ChannelGroup(Quantizer):
    """Consecutive channels by a quantiser of their own; the value is zero at all others.

    Several scales of one size, a group each, predict a size in as many calls: digit groups in
    place of the groups of cells of `Scale.part`.

    Args:
        quantizer: Quantiser of the group.
        first: Its first channel.
        dim: d, channels of a vector.

    Raises:
        InputError: The group reaches beyond the vector.
    """

    def __init__(self, quantizer: Quantizer, first: int, dim: int) -> None:
        super().__init__()
        if not 0 <= first <= dim - quantizer.dim:
            raise InputError(
                f"A group of {quantizer.dim} channels from channel {first} does not lie within "
                f"{dim} channels: choose another."
            )
        self.quantizer, self.first = quantizer, first
        self.dim, self.digits, self.size = dim, quantizer.digits, quantizer.size

    def project(self, z: Tensor) -> Tensor:
        """The group's projection, zero elsewhere."""
        return self._wide(self.quantizer.project(self._cut(z)))

    def forward(self, z: Tensor) -> Quantized:
        """Quantise the group of (b, n, d) vectors."""
        found: Quantized = self.quantizer(self._cut(z))
        return Quantized(self._wide(found.value), found.code, found.loss, found.clipped)

    def encode(self, z: Tensor) -> Tensor:
        """The group's code (b, n, g), without gradient."""
        return self.quantizer.encode(self._cut(z))

    def decode(self, code: Tensor) -> Tensor:
        """The group's vectors, zero elsewhere: (b, n, d) of codes (b, n, g)."""
        return self._wide(self.quantizer.decode(code))

    def update(self) -> None:
        """Update the group's quantiser."""
        self.quantizer.update()

    def _cut(self, z: Tensor) -> Tensor:
        return self.vectors(z)[..., self.first : self.first + self.quantizer.dim]

    def _wide(self, value: Tensor) -> Tensor:
        return F.pad(value, (self.first, self.dim - self.first - self.quantizer.dim))
