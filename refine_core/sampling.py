"""Sampling: how the codes of a scale are chosen, what an edit keeps, and the calls themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from refine_core.embed import ContextT, Embed, StateT
from refine_core.errors import InputError
from refine_core.heads.distribution import Distribution, Head
from refine_core.schedule import per_scale
from refine_core.tokens import Tokens, join, stack
from refine_core.transformer import Cache, Transformer

FeaturesT = TypeVar("FeaturesT")


@dataclass(frozen=True)
class Sampling:
    """How the codes of one scale are sampled.

    Args:
        temperature: Divides the logits; 0 takes the most likely code.
        top_k: Keeps that many most likely values of each digit; None keeps all.
        top_p: Keeps the smallest set of values with this probability; 1 keeps all.
        guidance: Classifier-free guidance weight w of (1 + w) conditional - w unconditional
            logits; 0 is none.

    Raises:
        InputError: A number is out of its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    guidance: float = 0.0

    def __post_init__(self) -> None:
        ranges = {
            "temperature": (self.temperature >= 0, "zero or more"),
            "top_k": (self.top_k is None or self.top_k >= 1, "one or more, or None for all"),
            "top_p": (0 < self.top_p <= 1, "above 0, and 1 at most"),
            "guidance": (self.guidance > -1, "above -1; 0 is none"),
        }
        for name, (fits, expected) in ranges.items():
            if not fits:
                raise InputError(f"{name} is {getattr(self, name)}, expected {expected}.")

    @classmethod
    def per_scale(
        cls,
        count: int,
        *,
        temperature: Sequence[float] = (1.0,),
        top_k: int | None = None,
        top_p: Sequence[float] = (1.0,),
        guidance: Sequence[float] = (0.0,),
    ) -> "tuple[Sampling, ...]":
        """One for each of `count` scales, of one value for all or one each.

        >>> [each.temperature for each in Sampling.per_scale(2, temperature=[1.0, 0.8])]
        [1.0, 0.8]

        Raises:
            InputError: There are neither one nor `count` values, or one is out of its range.
        """
        columns = [
            per_scale(name, values, count)
            for name, values in (
                ("temperature", temperature),
                ("top_p", top_p),
                ("guidance", guidance),
            )
        ]
        return tuple(cls(t, top_k, p, w) for t, p, w in zip(*columns, strict=True))


@dataclass(frozen=True)
class Keep(Generic[FeaturesT]):
    """What an edit holds fixed.

    The codes are derived anew from the reference at every scale, so later scales repair seams.

    Args:
        features: Features of the reference, as `Tokenizer.features` gives them.
        tokens: One mask (b, n_k) per scale, True where the reference stays.
    """

    features: FeaturesT
    tokens: Sequence[Tensor]


class Caller(Generic[StateT, ContextT]):
    """Calls the transformer scale by scale, with or without a cache, guided or not.

    Args:
        embed: States to tokens.
        transformer: Tokens to hidden states.
        head: Hidden states to distributions.
        contexts: The context, and for guidance, None.
        count: Number of samples.
        cached: Whether keys and values are kept, or under markov history all but the context
            forgotten; the result is the same.
    """

    def __init__(
        self,
        embed: Embed[StateT, ContextT],
        transformer: Transformer,
        head: Head[StateT],
        contexts: Sequence[ContextT | None],
        count: int,
        *,
        cached: bool,
    ) -> None:
        self.embed, self.transformer, self.head = embed, transformer, head
        markov = transformer.history == "markov"
        self.cache = Cache() if cached and not markov else None
        self.forgets = cached and markov
        self.contexts, self.count = contexts, count
        self.condition = _conditions([embed.condition(each, count) for each in contexts], count)
        self.modulations = None if self.condition is None else transformer.modulate(self.condition)
        memory = [embed.memory(context, count) for context in contexts]
        given = [tokens for tokens in memory if tokens is not None]
        self.before = [stack(_aligned(memory, given[0])).at(0)] if given else []

    def __call__(self, state: StateT, k: int, guidance: float = 0.0) -> Distribution:
        """Distribution of the codes of scale k given the state before it."""
        parts = [self.embed(state, k, context) for context in self.contexts]
        tokens = stack(parts).at(self.embed.level(state, k))
        fresh = [*self.before, tokens]
        own = tokens.condition is not None or any(t.condition is not None for t in self.before)
        hidden = self.transformer(
            join(fresh, self.condition), self.cache, None if own else self.modulations
        )
        if not self.forgets:
            self.before = [] if self.cache is not None else fresh
        width = tokens.value.shape[1]
        dist, *free = (
            self.head(part, state, k, parts[0].valid)
            for part in hidden[:, -width:].chunk(len(parts))
        )
        return dist.guided(free[0], guidance) if free else dist


def _conditions(vectors: Sequence[Tensor | None], count: int) -> Tensor | None:
    """Conditions (count, c), of one batch or of several in one; zero where there is none."""
    found = [vector for vector in vectors if vector is not None]
    if len(vectors) == 1 or not found:
        return vectors[0]
    nothing = torch.zeros_like(found[0][:1])
    rows = [nothing if vector is None else vector for vector in vectors]
    return torch.cat([row.expand(count, -1) for row in rows])


def _aligned(memory: Sequence[Tokens | None], like: Tokens) -> list[Tokens]:
    """Memories of one width: where a context has none, tokens that nothing sees."""
    hidden = torch.zeros_like(like.real)
    nothing = Tokens(torch.zeros_like(like.value), valid=hidden)
    return [nothing if tokens is None else tokens for tokens in memory]
