"""The refiner: an exact likelihood of codes in one call, and samples in K calls.

    p(codes | context) = prod_k p(c_k | s_<k, context)

Teacher forcing embeds the state before every scale at once; sampling embeds one state after the
other and keeps keys and values. Both give the same per-scale probabilities, which the tests check
first.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.head import CodeDistribution
from refine_core.noise import Noise
from refine_core.quantizer import Quantized
from refine_core.schedule import ScaleSchedule
from refine_core.tokenizer import Corrupt, Tokenizer, Trace
from refine_core.tokens import Tokens, join
from refine_core.training import Batch
from refine_core.transformer import Cache, Transformer


class Embed(nn.Module, ABC):
    """A domain's embedding. Positions live here, and only here."""

    @abstractmethod
    def forward(self, state: Any, k: int) -> Tokens:
        """Tokens of scale k, level k + 1, from the state before it."""

    @abstractmethod
    def context(self, context: Any, count: int) -> Tokens:
        """Level-0 tokens (or none) and the condition of `count` samples; None is no context."""

    @abstractmethod
    def drop(self, context: Any, where: Tensor) -> Any:
        """Context without the samples `where` (b,) is True, for classifier-free training."""


class Head(Protocol):
    """Hidden states (b, n, d) of scale k to the distribution of its codes."""

    def __call__(self, hidden: Tensor, k: int, valid: Tensor | None = None) -> CodeDistribution:
        """Distribution over codes (b, n, g)."""
        ...


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


class Refiner(nn.Module):
    """A generative model over a tokeniser's codes.

    Args:
        tokenizer: Frozen here.
        embed: States and context to tokens.
        transformer: Tokens to hidden states.
        head: Hidden states to distributions.
        corruption: Largest share of digits replaced at random in self-correction training; each
            sample draws its share uniformly below it. Later scales' targets are re-derived. 0 is
            off.
        dropout: Share of training samples whose context is dropped, for guidance.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        embed: Embed,
        transformer: Transformer,
        head: Head,
        *,
        corruption: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer.requires_grad_(False)
        self.embed = embed
        self.transformer = transformer
        self.head = head
        self.corruption = corruption
        self.dropout = dropout

    def train(self, mode: bool = True) -> "Refiner":
        """Training mode for all but the frozen tokeniser."""
        super().train(mode)
        self.tokenizer.eval()
        return self

    def distributions(self, states: Sequence[Any], context: Any = None) -> list[CodeDistribution]:
        """Distributions of the codes of each scale given the states before them, in one call."""
        parts = [self.embed(state, k) for k, state in enumerate(states)]
        given = self.embed.context(context, len(parts[0].value))
        hidden = self.transformer(join([given, *parts]))
        widths = [given.value.shape[1], *(part.value.shape[1] for part in parts)]
        pieces = hidden.split(widths, 1)[1:]
        return [
            self.head(h, k, part.valid)
            for k, (h, part) in enumerate(zip(pieces, parts, strict=True))
        ]

    def code_log_prob(self, x: Any, context: Any = None) -> Tensor:
        """Exact log-probability (b, K), in nats, of each scale's codes given the coarser ones."""
        with torch.no_grad():
            trace = self.tokenizer.trace(self.tokenizer.features(x))
        dists = self.distributions(trace.states[:-1], context)
        return torch.stack([d.log_prob(c) for d, c in zip(dists, trace.codes, strict=True)], 1)

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Training losses of data `batch[0]` with context `batch[1]`, if there is one.

        "loss" is the weighted mean negative log-probability of a token in nats, "bits" a sample's
        in bits.
        """
        context = batch[1] if len(batch) > 1 else None
        if context is not None and self.dropout:
            context = self.embed.drop(context, noise.uniform(-1) < self.dropout)
        with torch.no_grad():
            corrupt = self._corruption(noise) if self.corruption else None
            trace = self.tokenizer.trace(self.tokenizer.features(batch[0]), corrupt)
        dists = self.distributions(trace.states[:-1], context)
        weighted, weights, bits = [], [], []
        for scale, dist, code in zip(self.tokenizer.schedule, dists, trace.codes, strict=True):
            tokens = dist.token_log_prob(code)
            count = tokens.numel() if dist.valid is None else dist.valid.sum()
            weighted.append(-scale.weight * tokens.sum())
            weights.append(scale.weight * count)
            bits.append(-tokens.detach().sum(1).mean() / torch.log(torch.tensor(2.0)))
        return {
            "loss": sum(weighted, torch.zeros(())) / sum(weights),
            "bits": torch.stack(bits).sum(),
        }

    @torch.no_grad()
    def sample_trace(
        self,
        noise: Noise,
        context: Any = None,
        *,
        schedule: ScaleSchedule | None = None,
        codes: Sequence[Tensor] = (),
        keep: Keep | None = None,
        scales: int | None = None,
        cached: bool = True,
    ) -> Trace:
        """Draw codes scale by scale, one call of the transformer each.

        Args:
            noise: Names the samples; sample i depends on the seed and its own index only.
            context: What the embedding takes as context.
            schedule: Temperature, top-k, top-p and guidance per scale; by default the tokeniser's.
            codes: Given codes of the coarsest scales: super-resolution, or a restart half-way.
            keep: Region to hold fixed: inpainting.
            scales: Stop after that many (early exit).
            cached: Whether keys and values are kept; the result is the same.

        Raises:
            InputError: If the schedule has another number of scales than the tokeniser's.
        """
        schedule = schedule or self.tokenizer.schedule
        if len(schedule) != len(self.tokenizer.schedule):
            raise InputError(
                f"The sampling schedule has {len(schedule)} scales, the model "
                f"{len(self.tokenizer.schedule)}: give one entry per scale."
            )
        count = len(noise.index)
        caller = _Caller(
            self, context, count, guided=any(s.guidance for s in schedule), cached=cached
        )

        def choose(state: Any, k: int) -> Quantized:
            dist = caller(state, k, schedule[k].guidance)
            if k < len(codes):
                return self.tokenizer.lookup(codes[k], k)
            dist = dist.sharpened(schedule[k].temperature, schedule[k].top_k, schedule[k].top_p)
            code = dist.sample(noise.uniform(k, *dist.logits.shape[1:3]))
            if keep is not None:
                reference = self.tokenizer.quantize(keep.features, state, k).code
                code = torch.where(keep.tokens[k][..., None], reference, code)
            return self.tokenizer.lookup(code, k)

        return self.tokenizer.unroll(self.tokenizer.start(count), choose, scales=scales)

    def sample(self, noise: Noise, context: Any = None, **options: Any) -> Any:
        """Draw data; options as in `sample_trace`."""
        with torch.no_grad():
            return self.tokenizer.finish(self.sample_trace(noise, context, **options).states[-1])

    def _corruption(self, noise: Noise) -> Corrupt:
        share = noise.uniform(-2) * self.corruption

        def corrupt(code: Tensor, k: int) -> Tensor:
            size = self.tokenizer.digit_values(k)
            hit = noise.uniform(2 * k, *code.shape[1:]) < share[:, None, None]
            other = (noise.uniform(2 * k + 1, *code.shape[1:]) * size).long()
            return torch.where(hit, other, code)

        return corrupt


class _Caller:
    """Calls the transformer scale by scale, with or without a cache, guided or not."""

    def __init__(
        self, refiner: Refiner, context: Any, count: int, *, guided: bool, cached: bool
    ) -> None:
        self.refiner = refiner
        self.cache = Cache() if cached else None
        self.copies = 2 if guided and context is not None else 1
        given = refiner.embed.context(context, count)
        if self.copies == 2:
            given = _stack(given, refiner.embed.context(None, count))
        self.seen = [given]
        self.condition = given.condition

    def __call__(self, state: Any, k: int, guidance: float) -> CodeDistribution:
        tokens = self.refiner.embed(state, k)
        valid, width = tokens.valid, tokens.value.shape[1]
        if self.copies == 2:
            tokens = _stack(tokens, tokens)
        fresh = [*self.seen, tokens]
        hidden = self.refiner.transformer(
            replace(join(fresh), condition=self.condition), self.cache
        )
        self.seen = [] if self.cache is not None else fresh
        parts = hidden[:, -width:].chunk(self.copies)
        dist = self.refiner.head(parts[0], k, valid)
        return (
            dist
            if self.copies == 1
            else dist.guided(self.refiner.head(parts[1], k, valid), guidance)
        )


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
