"""Rows of tokens that go through the transformer together, scale by scale."""

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor

from refine_core.tokens import Tokens, join, stack
from refine_core.transformer import Cache, Transformer


class Branch:
    """Rows of tokens that go through the transformer together, scale by scale.

    Args:
        transformer: Tokens to hidden states.
        condition: (b, c) of the rows.
        before: Tokens of the context.
        cached: See `Caller`.
    """

    def __init__(
        self,
        transformer: Transformer,
        condition: Tensor | None,
        before: Sequence[Tokens],
        *,
        cached: bool,
    ) -> None:
        self.transformer, self.condition, self.before = transformer, condition, list(before)
        markov = transformer.history == "markov"
        self.cache = Cache() if cached and not markov else None
        self.forgets = cached and markov
        self.modulations = None if condition is None else transformer.modulate(condition)

    def __call__(self, tokens: Tokens) -> Tensor:
        """Hidden states (b, n, d) of the tokens (b, n, d) of a scale."""
        fresh = [*self.before, tokens]
        own = any(part.condition is not None for part in fresh)
        hidden: Tensor = self.transformer(
            join(fresh, self.condition), self.cache, None if own else self.modulations
        )
        if not self.forgets:
            self.before = [] if self.cache is not None else fresh
        return hidden[:, -tokens.value.shape[1] :]

    def wait(self, tokens: Tokens) -> None:
        """Let tokens go through with those of a later call."""
        if not self.forgets:
            self.before.append(tokens)

    def rows(self, index: Tensor) -> "Branch":
        """The branch of some of its rows, (n,) int64."""
        part = copy(self)
        part.before = [tokens.rows(index) for tokens in self.before]
        part.cache = None if self.cache is None else self.cache.rows(index)
        if self.condition is not None and len(self.condition) > 1:
            part.condition = self.condition[index]
            part.modulations = [each[index] for each in self.modulations or []]
        return part

    @classmethod
    def stacked(cls, branches: "Sequence[Branch]") -> "Branch":
        """The branch of all rows, of branches in which as many tokens wait."""
        whole = copy(branches[0])
        whole.before = [stack(parts) for parts in zip(*(b.before for b in branches), strict=True)]
        caches = [branch.cache for branch in branches if branch.cache is not None]
        whole.cache = Cache.stacked(caches) if caches else None
        if whole.condition is not None:
            whole.condition = torch.cat([b.condition for b in branches if b.condition is not None])
            every = zip(*(branch.modulations or [] for branch in branches), strict=True)
            whole.modulations = [torch.cat(each) for each in every]
        return whole
