"""Calling the transformer for one scale after the other, and holding a region fixed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from refine_core.embed import Embed, Head
from refine_core.head import CodeDistribution
from refine_core.tokens import Tokens, join
from refine_core.transformer import Cache, Transformer


@dataclass(frozen=True)
class Keep:
    """What an edit holds fixed.

    The codes are re-derived from the reference at every scale, so later scales repair seams.

    Args:
        features: Of the reference, as `Tokenizer.features` gives them.
        tokens: One mask (b, n_k) per scale, True where the reference stays.
    """

    features: Any
    tokens: Sequence[Tensor]


class Caller:
    """Calls the transformer scale by scale, with or without a cache, guided or not.

    Args:
        embed: States to tokens.
        transformer: Tokens to hidden states.
        head: Hidden states to distributions.
        given: The context's tokens.
        free: Tokens of no context, for guidance; None if no scale is guided.
        cached: Whether keys and values are kept, or under markov history all but the context
            forgotten; the result is the same.
    """

    def __init__(
        self,
        embed: Embed,
        transformer: Transformer,
        head: Head,
        given: Tokens,
        free: Tokens | None,
        *,
        cached: bool,
    ) -> None:
        self.embed, self.transformer, self.head = embed, transformer, head
        markov = transformer.history == "markov"
        self.cache = Cache() if cached and not markov else None
        self.copies = 1 if free is None else 2
        self.seen = [given if free is None else _stack(given, free)]
        self.condition = self.seen[0].condition
        self.forgets = cached and markov

    def __call__(self, state: Any, k: int, guidance: float) -> CodeDistribution:
        """Distribution of the codes of scale k given the state before it."""
        tokens = self.embed(state, k)
        valid, width = tokens.valid, tokens.value.shape[1]
        if self.copies == 2:
            tokens = _stack(tokens, tokens)
        fresh = [*self.seen, tokens]
        hidden = self.transformer(replace(join(fresh), condition=self.condition), self.cache)
        if not self.forgets:
            self.seen = [] if self.cache is not None else fresh
        parts = hidden[:, -width:].chunk(self.copies)
        dist = self.head(parts[0], state, k, valid)
        if self.copies == 1:
            return dist
        return dist.guided(self.head(parts[1], state, k, valid), guidance)


def _stack(a: Tokens, b: Tokens) -> Tokens:
    """Tokens of two batches in one, of the same levels."""

    def both(x: Tensor | None, y: Tensor | None) -> Tensor | None:
        return None if x is None or y is None else torch.cat([x, y])

    def bias(x: Tensor | None) -> Tensor | None:
        return None if x is None else x.expand(len(a.value), *x.shape[1:])

    return replace(
        a,
        value=torch.cat([a.value, b.value]),
        valid=both(a.valid, b.valid),
        bias=both(bias(a.bias), bias(b.bias)),
        condition=both(a.condition, b.condition),
    )
