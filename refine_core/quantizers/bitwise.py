"""Bitwise quantisation: the sign of every channel; d bits make 2^d codes without a codebook."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from refine_core.errors import check_choice
from refine_core.quantizers.base import (
    Quantized,
    Quantizer,
    fraction,
    positive,
    squared_error,
    straight_through,
)
from refine_core.quantizers.clustering import all_mean

Kind = Literal["sign", "lfq", "bsq"]


class Bitwise(Quantizer):
    """One bit a channel: its sign.

    - "sign": the values are +-scale, the loss is zero.
    - "lfq": the same values with a loss (Yu et al., 2023, arXiv 2310.05737, section 3.1).
    - "bsq": input and values on the sphere of radius `scale`, so the values are +-scale / sqrt(d),
      with the same loss (Zhao et al., 2024, arXiv 2406.07548).

    The loss is `commitment |z - sg[q]|^2 + entropy (E_z H(c | z) - H(E_z c))`, with
    `p(c | z) ~ exp(-|z - c|^2 / T)`. Given z the bits are independent,
    `p(bit = 1 | z) = sigmoid(4 z s / T)` for values +-s, so the first entropy is exactly the sum
    over bits; the second is the sum of the bits' own, an upper bound (as in BSQ). In training, E_z
    is the mean over the batch of all processes.

    `clipped` is the fraction of channel inputs beyond 2 scale: from there on the error exceeds
    `scale`, the largest inside. On the sphere nothing is outside, and it is zero.

    Args:
        bits: d and g, channels and digits; a digit is 1 where the input is positive.
        kind: See above.
        scale: Size of the values.
        commitment: Weight of the first term.
        entropy: Weight of the second one, in nats summed over bits.
        temperature: T.

    Raises:
        InputError: An argument is out of its range.

    >>> import torch
    >>> import refine_core as rc
    >>> bits = rc.Bitwise(3)
    >>> code = bits.encode(torch.tensor([[[0.5, -2.0, 0.1]]]))
    >>> code.tolist(), bits.decode(code).tolist()
    ([[[1, 0, 1]]], [[[1.0, -1.0, 1.0]]])
    """

    size = 2

    def __init__(
        self,
        bits: int,
        kind: Kind = "sign",
        *,
        scale: float = 1.0,
        commitment: float = 0.25,
        entropy: float = 0.1,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        positive(bits=bits, scale=scale, temperature=temperature)
        check_choice("kind", kind, get_args(Kind))
        self.dim = self.digits = bits
        self.kind, self.scale, self.temperature = kind, scale, temperature
        self.commitment, self.entropy = commitment, entropy
        self.step = scale / bits**0.5 if kind == "bsq" else scale

    def project(self, z: Tensor) -> Tensor:
        """The vectors that are compared with the values: on the sphere for "bsq"."""
        return self.scale * F.normalize(z, dim=-1) if self.kind == "bsq" else z

    def forward(self, z: Tensor) -> Quantized:
        """Quantise (b, n, d) vectors."""
        code = self.encode(z)
        z = self.project(self.vectors(z))
        value = self.decode(code)
        outside = z.abs() > (math.inf if self.kind == "bsq" else 2 * self.scale)
        loss = value.new_zeros(()) if self.kind == "sign" else self._loss(z, value)
        return Quantized(straight_through(value, z), code, loss, fraction(outside))

    def encode(self, z: Tensor) -> Tensor:
        """The bits (b, n, d), one where the channel is positive."""
        return (self.vectors(z) > 0).long()

    def decode(self, code: Tensor) -> Tensor:
        """The values (b, n, d) of the bits."""
        return (2 * code - 1) * self.step

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"bits={self.dim}, kind={self.kind!r}, scale={self.scale}, "
            f"commitment={self.commitment}, entropy={self.entropy}, temperature={self.temperature}"
        )

    def _loss(self, z: Tensor, value: Tensor) -> Tensor:
        logit = (4 * self.step / self.temperature * z).reshape(-1, self.dim)
        if len(logit) == 0:
            return z.new_zeros(())
        bit = torch.sigmoid(logit)
        given = (F.softplus(logit) - logit * bit).mean(0).sum()  # finite slope for certain bits
        mean = (all_mean(bit) if self.training else bit.mean(0)).clamp(1e-6, 1 - 1e-6)
        overall = (torch.special.entr(mean) + torch.special.entr(1 - mean)).sum()
        loss: Tensor = self.commitment * squared_error(z, value) + self.entropy * (given - overall)
        return loss
