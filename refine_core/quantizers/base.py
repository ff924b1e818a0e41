"""What every quantiser is: a map from vectors to digits, from digits to vectors, and its gradient.

A quantiser rounds `project(z)`, a differentiable map of the input onto the set the codes live in:
the identity for a codebook, the sphere for BSQ, a bounded box for FSQ. The value
returned is a code exactly; its gradient is that of `project(z)`: the straight-through estimator
(Bengio et al., 2013, arXiv 1308.3432).
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from refine_core.errors import InputError


@dataclass(frozen=True)
class Quantized:
    """The result of quantising n vectors of each of b samples.

    Args:
        value: (b, n, d), the codes, with the straight-through gradient to the input; at least
            float32.
        code: (b, n, g) int64, digits in 0..size-1.
        loss: (), what codes and input should minimise, zero where there is nothing to learn.
        clipped: (), fraction of the inputs outside the quantiser's range.
    """

    value: Tensor
    code: Tensor
    loss: Tensor
    clipped: Tensor

    @classmethod
    def known(cls, code: Tensor, value: Tensor | None = None) -> "Quantized":
        """A code (b, n, g) and its value, by default itself; nothing to learn, nothing clipped."""
        zero = torch.zeros((), device=code.device)
        return cls(code if value is None else value, code, zero, zero)


class Quantizer(nn.Module):
    """Vectors of `dim` channels <-> `digits` digits, each of `size` values.

    Attributes:
        dim: d, channels of a vector.
        digits: g, digits of a code.
        size: Values a digit can take; 0 where digits are real numbers.
    """

    dim: int
    digits: int
    size: int

    def project(self, z: Tensor) -> Tensor:
        """The differentiable map (b, n, d) -> (b, n, d) whose result is rounded to a code."""
        return z

    @abstractmethod
    def forward(self, z: Tensor) -> Quantized:
        """Quantise (b, n, d) vectors; in training, a codebook remembers them until `update`."""

    @abstractmethod
    def encode(self, z: Tensor) -> Tensor:
        """The code (b, n, g) of the vectors (b, n, d), without gradient."""

    @abstractmethod
    def decode(self, code: Tensor) -> Tensor:
        """The vectors (b, n, d) of a code (b, n, g): of `encode(z)`, the value of `forward(z)`."""

    def update(self) -> None:
        """Learn from the calls since the last update; to be called after each optimiser step."""

    def vectors(self, z: Tensor) -> Tensor:
        """The input in float32 at least: half precision would move vectors between codes.

        Raises:
            InputError: The last dimension of `z` is not `dim`.
        """
        if z.ndim == 0 or z.shape[-1] != self.dim:
            raise InputError(
                f"The vectors have shape {tuple(z.shape)}, expected (..., {self.dim}): "
                "put channels last and give the quantiser the features' dimension."
            )
        return z.to(torch.promote_types(z.dtype, torch.float32))


def straight_through(value: Tensor, z: Tensor) -> Tensor:
    """`value` to the last bit, with the gradient of `z`."""
    return value.detach() + (z - z.detach())


def squared_error(a: Tensor, b: Tensor) -> Tensor:
    """Mean over all elements of the squared difference, zero for no elements."""
    return (a - b).square().sum() / max(1, a.numel())


def fraction(outside: Tensor) -> Tensor:
    """The share of true elements, zero for no elements."""
    return outside.float().sum() / max(1, outside.numel())


def positive(**values: float) -> None:
    """Check constructor arguments.

    Raises:
        InputError: One of them is not greater than zero.
    """
    for name, value in values.items():
        if value <= 0:
            raise InputError(
                f"{name} is {value}, expected more than zero: give a positive {name}."
            )
