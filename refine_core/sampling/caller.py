"""The calls of the network that sampling makes, and the choice of codes in between."""

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor

from refine_core.embed import ContextT, StateT
from refine_core.heads.distribution import Distribution
from refine_core.noise import Noise
from refine_core.quantizers.base import Quantized
from refine_core.sampling.branch import Branch
from refine_core.sampling.rows import rows_of
from refine_core.sampling.settings import Keep, Sampling
from refine_core.tokenizer import After, DataT, FeaturesT, Tokenizer
from refine_core.tokens import Tokens, stack

if TYPE_CHECKING:
    from refine_core.refiner import Refiner

V = TypeVar("V")
StateT_contra = TypeVar("StateT_contra", contravariant=True)


class Call(Protocol[StateT_contra]):
    """What gives the distributions of the codes of one scale after the other."""

    def __call__(self, state: StateT_contra, k: int, guidance: float = 0.0) -> Distribution:
        """Distribution of the codes of scale k given the state before it."""
        ...

    def skip(self, state: StateT_contra, k: int) -> None:
        """Take note of the state before a scale whose distribution is not asked for."""
        ...

    def rows(self, index: Tensor) -> "Self":
        """What gives the distributions of some of the samples, (n,) int64."""
        ...


class Wrapped(Generic[StateT]):
    """A call of one or several others.

    Args:
        inner: The first.
    """

    def __init__(self, inner: Call[StateT]) -> None:
        self.inner = inner

    def __call__(self, state: StateT, k: int, guidance: float = 0.0) -> Distribution:
        """Distribution of the codes of scale k given the state before it."""
        return self.inner(state, k, guidance)

    def skip(self, state: StateT, k: int) -> None:
        """All others take note of the state before a scale."""
        for call in self._calls().values():
            call.skip(state, k)

    def rows(self, index: Tensor) -> Self:
        """The same for some of the samples, (n,) int64."""
        part = copy(self)
        vars(part).update({name: call.rows(index) for name, call in self._calls().items()})
        return part

    def _calls(self) -> dict[str, Call[StateT]]:
        """Attributes that are calls."""
        return {name: value for name, value in vars(self).items() if hasattr(value, "skip")}


class Chooser(Generic[FeaturesT, StateT]):
    """Draws the codes of one scale after the other.

    Args:
        tokenizer: Gives the values of codes.
        call: Gives their distributions.
        sampling: How each scale is sampled.
        noise: Names the samples.
        codes: Given codes of the coarsest scales.
        keep: What an edit holds fixed.
        after: Called with the states of all samples after each scale.

    Attributes:
        dist: Distribution that the last codes were drawn from, before temperature and the like;
            None where they were given.
    """

    def __init__(
        self,
        tokenizer: Tokenizer[DataT, FeaturesT, StateT],
        call: Call[StateT],
        sampling: Sequence[Sampling],
        noise: Noise,
        codes: Sequence[Tensor] = (),
        keep: Keep[FeaturesT] | None = None,
        after: After[StateT] | None = None,
    ) -> None:
        self.tokenizer, self.call, self.sampling, self.noise = tokenizer, call, sampling, noise
        self.codes, self.keep, self.after = codes, keep, after
        self.dist: Distribution | None = None

    def __call__(self, state: StateT, k: int) -> Quantized:
        """Codes of scale k and their values, given the state before it."""
        if k < len(self.codes):
            self.call.skip(state, k)
            return self.tokenizer.lookup(self.codes[k], k)
        how, self.dist = self.sampling[k], self.call(state, k, self.sampling[k].guidance)
        dist = self.dist.sharpened(how.temperature, how.top_k, how.top_p)
        code = dist.sample(self.noise.fork(k))
        if self.keep is not None:
            reference = self.tokenizer.quantize(self.keep.features, state, k).code
            code = torch.where(self.keep.tokens[k][..., None], reference, code)
        return self.tokenizer.lookup(code, k)

    def rows(self, index: Tensor) -> Self:
        """The same for some of the samples, (n,) int64."""
        part = copy(self)
        part.call, part.noise = (
            self.call.rows(index),
            self.noise.rows(index),
        )
        part.codes = rows_of(tuple(self.codes), index)
        part.keep = rows_of(self.keep, index)
        return part


class Caller(Generic[StateT, ContextT]):
    """Calls the transformer scale by scale, with or without a cache, guided or not.

    With a context and without, tokens go through the transformer together. Where a scale is not
    guided, those without wait: they go through at the next scale that is, or never.

    Args:
        refiner: What is called.
        contexts: The context, and for guidance, None.
        count: Number of samples.
        cached: Whether keys and values are kept, or under markov history all but the context
            forgotten; the result is the same.
    """

    def __init__(
        self,
        refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        contexts: Sequence[ContextT | None],
        count: int,
        *,
        cached: bool,
    ) -> None:
        embed = refiner.embed
        self.refiner, self.contexts, self.count = refiner, contexts, count
        condition = _conditions([embed.condition(each, count) for each in contexts], count)
        memory = [embed.memory(context, count) for context in contexts]
        given = [tokens for tokens in memory if tokens is not None]
        before = [stack(_aligned(memory, given[0])).at(0)] if given else []
        self.branches = [Branch(refiner.transformer, condition, before, cached=cached)]
        self.notes: list[Tensor | None] = []

    def __call__(self, state: StateT, k: int, guidance: float = 0.0) -> Distribution:
        """Distribution of the codes of scale k given the state before it."""
        parts = [self.refiner.tokens(state, k, each, self.notes) for each in self.contexts]
        if guidance or len(parts) == 1:
            hidden = self._together(parts)
        else:
            first, *waiting = self._apart()
            for branch, part in zip(waiting, parts[1:], strict=True):
                branch.wait(part)
            hidden = [first(parts[0])]
        dist, *free = (self.refiner.head(part, state, k, parts[0].valid) for part in hidden)
        dist = dist.guided(free[0], guidance) if free else dist
        self.notes = self.refiner.notes(dist, state, k)
        return dist

    def skip(self, state: StateT, k: int) -> None:
        """Take note of the state before a scale, at the next call that there is."""
        if self.refiner.recurrent:
            self(state, k)
            return
        parts = [self.refiner.tokens(state, k, each) for each in self.contexts]
        together = len(self.branches) == 1
        for branch, part in zip(self.branches, [stack(parts)] if together else parts, strict=True):
            branch.wait(part)

    def rows(self, index: Tensor) -> Self:
        """The same for some of the samples, (n,) int64."""
        part = copy(self)
        part.contexts, part.count = [rows_of(each, index) for each in self.contexts], len(index)
        whole = len(self.branches) < len(self.contexts)
        every = [index + place * self.count for place in range(len(self.contexts) if whole else 1)]
        part.branches = [branch.rows(torch.cat(every)) for branch in self.branches]
        part.notes = [None if note is None else note[index] for note in self.notes]
        return part

    def _together(self, parts: Sequence[Tokens]) -> list[Tensor]:
        """Hidden states (b, n, d) of the tokens of each context, all branches in one again."""
        if len(self.branches) == 1:
            return list(self.branches[0](stack(parts)).chunk(len(parts)))
        hidden = [branch(part) for branch, part in zip(self.branches, parts, strict=True)]
        self.branches = [Branch.stacked(self.branches)]
        return hidden

    def _apart(self) -> "list[Branch]":
        """One branch for each context."""
        if len(self.branches) < len(self.contexts):
            whole, places = self.branches[0], torch.arange(self.count * len(self.contexts))
            self.branches = [whole.rows(part) for part in places.split(self.count)]
        return self.branches


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
