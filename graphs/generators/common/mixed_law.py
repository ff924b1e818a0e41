"""What laws of codes share where sampling is guided: logits of several heads, added up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor

H = TypeVar("H")
S = TypeVar("S")


@dataclass(frozen=True)
class MixedLaw(Generic[H, S]):
    """A law of codes of states.

    Args:
        head: Of the model.
        state: b states.
        hidden: Weights, heads and hidden states (b, ...), whose logits are added up; several where
            sampling is guided.
        temperature: Divides all logits; 0 takes the likeliest.
        top_k: Applied to each number that is drawn, see `CodeDistribution.sharpened`.
        top_p: Applied to each number that is drawn, see `CodeDistribution.sharpened`.
    """

    head: H
    state: S
    hidden: tuple[tuple[float, H, Tensor], ...]
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

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
        return torch.stack([w * logits(head, x).float() for (w, head, _), x in pairs]).sum(0)

    def guided(self, unconditional: Self, weight: float) -> Self:
        """Classifier-free guidance on logits (arXiv 2207.12598)."""
        strong = tuple((w * (1 + weight), head, h) for w, head, h in self.hidden)
        away = tuple((-weight * w, head, h) for w, head, h in unconditional.hidden)
        return replace(self, hidden=strong + away)

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> Self:
        """With a temperature, and the likeliest values of each number only."""
        return replace(self, temperature=temperature, top_k=top_k, top_p=top_p)

    def repeated(self, state: S, times: int) -> Self:
        """For states in which each of those before is `times` times."""
        hidden = tuple((w, head, h.repeat_interleave(times, 0)) for w, head, h in self.hidden)
        return replace(self, state=state, hidden=hidden)
