"""What laws of codes share: how numbers are drawn, and logits of several heads, added up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor

from refine_core.heads.categorical import CodeDistribution

H = TypeVar("H")
S = TypeVar("S")


@dataclass(frozen=True, kw_only=True)
class SharpenedLaw:
    """A law whose numbers are drawn with a temperature, and of the likeliest values only.

    Args:
        temperature: Divides all logits; 0 takes the likeliest.
        top_k: Applied to each number that is drawn, see `CodeDistribution.sharpened`.
        top_p: Applied to each number that is drawn, see `CodeDistribution.sharpened`.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> Self:
        """With a temperature, and the likeliest values of each number only."""
        return replace(self, temperature=temperature, top_k=top_k, top_p=top_p)

    def drawn(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """Values (...) of logits (..., v), by the inverse distribution function at `uniform`."""
        digits = CodeDistribution(logits.flatten(0, -2)[:, None, None])
        digits = digits.sharpened(self.temperature, self.top_k, self.top_p)
        return digits.inverse(uniform.flatten()[:, None, None]).view_as(uniform)

    def log_share(self, within: Tensor, logits: Tensor) -> Tensor:
        """(r,) logarithm of the mass of logits (r, v) that those `within` bounds leave."""
        scale = max(self.temperature, 1e-3)
        return (within / scale).logsumexp(1) - (logits / scale).logsumexp(1)


@dataclass(frozen=True)
class MixedLaw(SharpenedLaw, Generic[H, S]):
    """A law of codes of states.

    Args:
        head: Of the model.
        state: b states.
        hidden: Weights, heads and hidden states (b, ...), whose logits are added up; several where
            sampling is guided.
    """

    head: H
    state: S
    hidden: tuple[tuple[float, H, Tensor], ...]

    def weighted(
        self, logits: Callable[[H, Tensor], Tensor], known: Sequence[Tensor] | None = None
    ) -> Tensor:
        """The weighted sum of the logits that heads give of their hidden states.

        Args:
            logits: Of a head and what it knows.
            known: What each head knows, if more than its hidden states.
        """
        given = [h for _, _, h in self.hidden] if known is None else known
        pairs = zip(self.hidden, given, strict=True)
        each = ((w, logits(head, x).float()) for (w, head, _), x in pairs)
        return reduce(torch.add, (x if w == 1 else w * x for w, x in each))

    def guided(self, unconditional: Self, weight: float) -> Self:
        """Classifier-free guidance on logits (arXiv 2207.12598)."""
        strong = tuple((w * (1 + weight), head, h) for w, head, h in self.hidden)
        away = tuple((-weight * w, head, h) for w, head, h in unconditional.hidden)
        return replace(self, hidden=strong + away)

    def repeated(self, state: S, times: int) -> Self:
        """For states in which each of those before is `times` times."""
        hidden = tuple((w, head, h.repeat_interleave(times, 0)) for w, head, h in self.hidden)
        return replace(self, state=state, hidden=hidden)
