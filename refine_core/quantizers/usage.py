"""How much of a code is in use: a collapsed codebook shows here before it shows in the error."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Usage:
    """How often each digit took each value, over all codes added so far.

    Args:
        digits: g, digits of a code.
        size: Values a digit can take.

    >>> usage = Usage(digits=1, size=4)
    >>> usage.add(torch.tensor([[[0], [1]]]))
    >>> usage.add(torch.tensor([[[0], [1]]]))
    >>> usage.fraction, round(usage.perplexity, 3)
    (0.5, 2.0)
    """

    digits: int
    size: int
    count: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Start from nothing."""
        self.count = torch.zeros(self.digits, self.size, dtype=torch.int64)

    def add(self, code: Tensor) -> None:
        """Count the digits of a code (..., g)."""
        offset = torch.arange(self.digits, device=code.device) * self.size
        flat = (code + offset).flatten()
        count = torch.bincount(flat, minlength=self.count.numel())
        self.count += count.reshape(self.count.shape).to(self.count.device)

    @property
    def fraction(self) -> float:
        """The share of the digits' values that occurred."""
        return (self.count > 0).double().mean().item()

    @property
    def perplexity(self) -> float:
        """`exp` of the entropy (nats) of a digit's values, mean over digits; 0 without codes."""
        total = self.count.sum(1)
        if not total.any():
            return 0.0
        share = self.count.double() / total[:, None]
        entropy: Tensor = torch.special.entr(share).sum(1)
        return entropy.exp().mean().item()
