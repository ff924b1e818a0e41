"""Independent digits: a softmax for each, or a Bernoulli for each bit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.noise import Noise, Stream


@dataclass(frozen=True)
class CodeDistribution:
    """Independent digits given the hidden states (paper, eq. 18).

    Args:
        logits: (b, n, g, v), unnormalised, for each of g digits of each of n tokens.
        valid: (b, n) bool, False at padding; None means all.
    """

    logits: Tensor
    valid: Tensor | None = None

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, n) of each token's code (b, n, g); zero at padding."""
        digits = -F.cross_entropy(self.logits.flatten(0, 2), code.flatten(), reduction="none")
        tokens = digits.reshape(code.shape).sum(2)
        return tokens if self.valid is None else torch.where(self.valid, tokens, 0)

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes (b, n, g), in nats."""
        return self.token_log_prob(code).sum(1)

    def entropy(self) -> Tensor:
        """Entropy (b, n) of each token's code, in nats; zero at padding."""
        log = self.logits.log_softmax(-1)
        tokens = -torch.nan_to_num(log.exp() * log).sum((2, 3))
        return tokens if self.valid is None else torch.where(self.valid, tokens, 0)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, n, g)."""
        return self.inverse(noise.uniform(Stream.CODES, *self.logits.shape[1:3]))

    def inverse(self, uniform: Tensor) -> Tensor:
        """Codes (b, n, g): the inverse distribution function at `uniform` (b, n, g) in [0, 1)."""
        logits = self.logits.float()
        cumulative = (logits - logits.amax(-1, keepdim=True)).exp_().cumsum(-1)
        total = cumulative[..., -1:]
        passed = torch.searchsorted(cumulative, uniform[..., None] * total, right=True)[..., 0]
        # Where rounding carries the product up to the total, the last possible value is meant. To
        # ask whether it does takes an accelerator longer.
        if logits.device.type != "cpu" or bool((passed == logits.shape[-1]).any()):
            passed = torch.minimum(passed, (cumulative < total).sum(-1))
        return passed

    def guided(self, unconditional: Self, weight: float) -> Self:
        """Classifier-free guidance on logits (arXiv 2207.12598); weight 0 changes nothing.

        (1 + w) conditional - w unconditional logits. A value that has no chance under the
        condition keeps none; one that has none without it is not moved.
        """
        given, free = self.logits, unconditional.logits
        moved = (1 + weight) * given - weight * free
        certain = given.isinf() | free.isinf()
        # As if both were normalised, which matters where some values move and others stay.
        shift = free.logsumexp(-1, keepdim=True) - given.logsumexp(-1, keepdim=True)
        return replace(self, logits=torch.where(certain, given - weight * shift, moved))

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> Self:
        """Temperature, then the `top_k` likeliest values, then the likeliest of mass `top_p`.

        Temperature 0 leaves the likeliest value. Of equally likely values the first are kept.
        """
        logits = self.logits
        if temperature == 0:
            best = F.one_hot(logits.argmax(-1), logits.shape[-1]).bool()
            return replace(self, logits=logits.masked_fill(~best, -torch.inf))
        if temperature != 1:
            logits = logits / temperature
        if (top_k is not None and top_k < logits.shape[-1]) or top_p < 1:
            logits = logits.masked_fill(~heaviest(logits, top_k, top_p), -torch.inf)
        return replace(self, logits=logits)


def heaviest(logits: Tensor, top_k: int | None, top_p: float) -> Tensor:
    """Which values (..., v) are among the `top_k` likeliest, and of those make a mass `top_p`.

    Of equally likely values the first are kept.
    """
    order = torch.sort(logits, dim=-1, descending=True, stable=True).indices
    place = torch.arange(logits.shape[-1], device=logits.device)
    keep = (place < (top_k or logits.shape[-1])).expand_as(order)
    ordered = logits.gather(-1, order).masked_fill(~keep, -torch.inf).softmax(-1)
    keep = keep & (ordered.cumsum(-1) - ordered < top_p)
    return torch.zeros_like(keep).scatter(-1, order, keep)


class CategoricalHead(nn.Module):
    """One softmax per digit; a linear map of its own for each scale.

    Args:
        dim: Width of the hidden states.
        digits: Digits g of a code.
        sizes: Values of a digit, one count per scale.
        maps: Which map each scale uses, so that several share one; by default each its own.

    Raises:
        InputError: A digit has fewer than two values, there is not one map per scale, or scales of
            one map differ in their values.

    >>> import torch
    >>> import refine_core as rc
    >>> head = rc.CategoricalHead(dim=8, digits=1, sizes=[16, 64])
    >>> law = head(torch.randn(2, 4, 8), None, k=1)  # it does not look at the state
    >>> code = law.sample(rc.Noise.range(0, 2))
    >>> code.shape, law.log_prob(code).shape
    (torch.Size([2, 4, 1]), torch.Size([2]))
    """

    def __init__(
        self, dim: int, digits: int, sizes: Sequence[int], maps: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        if digits < 1 or min(sizes, default=0) < 2:
            raise InputError(
                f"A head needs digits of 2 values or more, found {digits} of {sizes} values."
            )
        chosen = list(range(len(sizes))) if maps is None else list(maps)
        if len(chosen) != len(sizes):
            raise InputError(f"Found {len(chosen)} maps for {len(sizes)} scales: give one each.")
        own = dict(zip(chosen, sizes, strict=True))
        if any(own[use] != size for use, size in zip(chosen, sizes, strict=True)):
            raise InputError(
                f"Scales that share a map need digits of as many values, found {list(sizes)} "
                f"values with maps {chosen}."
            )
        self.dim, self.digits, self.sizes = dim, digits, tuple(sizes)
        self.uses = [sorted(own).index(use) for use in chosen]
        self.maps = nn.ModuleList(nn.Linear(dim, digits * own[use]) for use in sorted(own))

    def forward(
        self, hidden: Tensor, state: object, k: int, valid: Tensor | None = None
    ) -> CodeDistribution:
        """Distribution of the codes of scale k from hidden states (b, n, d)."""
        logits = self.maps[self.uses[k]](hidden).unflatten(2, (self.digits, -1))
        return CodeDistribution(logits, valid)


class BitwiseHead(nn.Module):
    """Independent Bernoulli bits: `bits` outputs in place of 2 ** bits.

    Infinity, arXiv 2412.04431.

    Args:
        dim: Width of the hidden states.
        bits: Bits of a code.
        scales: Count of scales, each with a linear map of its own.

    >>> import torch
    >>> import refine_core as rc
    >>> head = rc.BitwiseHead(dim=8, bits=10, scales=2)  # 1024 codes, of ten digits
    >>> law = head(torch.randn(2, 4, 8), None, k=1)
    >>> law.sample(rc.Noise.range(0, 2)).shape
    torch.Size([2, 4, 10])
    """

    def __init__(self, dim: int, bits: int, scales: int) -> None:
        super().__init__()
        self.dim, self.digits, self.sizes = dim, bits, (2,) * scales
        self.maps = nn.ModuleList(nn.Linear(dim, bits) for _ in range(scales))

    def forward(
        self, hidden: Tensor, state: object, k: int, valid: Tensor | None = None
    ) -> CodeDistribution:
        """Distribution of the bits of scale k; a Bernoulli of logit l is a softmax of (0, l)."""
        one = self.maps[k](hidden)
        return CodeDistribution(torch.stack([torch.zeros_like(one), one], -1), valid)
