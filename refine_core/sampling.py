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
        contexts: The context, and for guidance, None.
        count: Of samples.
        cached: Whether keys and values are kept, or under markov history all but the context
            forgotten; the result is the same.
    """

    def __init__(
        self,
        embed: Embed,
        transformer: Transformer,
        head: Head,
        contexts: Sequence[Any],
        count: int,
        *,
        cached: bool,
    ) -> None:
        self.embed, self.transformer, self.head = embed, transformer, head
        markov = transformer.history == "markov"
        self.cache = Cache() if cached and not markov else None
        self.contexts = contexts
        self.seen = [_stack([embed.context(context, count) for context in contexts])]
        condition = self.seen[0].condition
        self.samples = None if condition is None else transformer.samples(condition)
        self.forgets = cached and markov

    def __call__(self, state: Any, k: int, guidance: float) -> CodeDistribution:
        """Distribution of the codes of scale k given the state before it."""
        parts = [self.embed(state, k, context) for context in self.contexts]
        tokens, valid, width = _stack(parts), parts[0].valid, parts[0].value.shape[1]
        fresh = [*self.seen, tokens]
        # As in teacher forcing, the condition is the context's, or else the state's.
        given = replace(join(fresh), condition=tokens.condition)
        hidden = self.transformer(given, self.cache, self.samples)
        if not self.forgets:
            self.seen = [] if self.cache is not None else fresh
        dist, *free = (
            self.head(part, state, k, valid) for part in hidden[:, -width:].chunk(len(parts))
        )
        return dist.guided(free[0], guidance) if free else dist


def _stack(parts: Sequence[Tokens]) -> Tokens:
    """Tokens of one or several batches, of the same levels, in one."""
    first = parts[0]
    if len(parts) == 1:
        return first

    def every(name: str) -> Tensor | None:
        found = [getattr(part, name) for part in parts]
        if any(x is None for x in found):
            return None
        return torch.cat([x.expand(len(first.value), *x.shape[1:]) for x in found])

    return replace(
        first,
        value=torch.cat([part.value for part in parts]),
        valid=every("valid"),
        bias=every("bias"),
        condition=every("condition"),
    )
