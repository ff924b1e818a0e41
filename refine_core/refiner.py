"""The refiner: an exact likelihood of codes in one call, and samples in K calls.

    p(codes | context) = prod_k p(c_k | s_<k, context)

Teacher forcing embeds the state before every scale at once; sampling embeds one state after the
other and keeps keys and values. Both give the same per-scale probabilities, which the tests check
first.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from refine_core.data import Batch
from refine_core.embed import Embed, Head
from refine_core.errors import InputError
from refine_core.head import CodeDistribution
from refine_core.noise import Noise
from refine_core.quantizers.base import Quantized
from refine_core.sampling import Caller, Keep
from refine_core.schedule import ScaleSchedule
from refine_core.tokenizer import Corrupt, Tokenizer, Trace
from refine_core.tokens import join
from refine_core.transformer import Transformer


class Refiner(nn.Module):
    """A generative model over a tokeniser's codes.

    Args:
        tokenizer: Frozen here.
        embed: States and context to tokens.
        transformer: Tokens to hidden states.
        head: Hidden states to distributions.
        schedule: Loss weights, and how to sample by default; else the tokeniser's.
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
        schedule: ScaleSchedule | None = None,
        corruption: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer.requires_grad_(False)
        self.embed = embed
        self.transformer = transformer
        self.head = head
        self.schedule = schedule or tokenizer.schedule
        self.corruption = corruption
        self.dropout = dropout

    def train(self, mode: bool = True) -> "Refiner":
        """Training mode for all but the frozen tokeniser."""
        super().train(mode)
        self.tokenizer.eval()
        return self

    def distributions(self, states: Sequence[Any], context: Any = None) -> list[CodeDistribution]:
        """Distributions of the codes of each scale given the states before them, at once."""
        parts = [self.embed(state, k, context) for k, state in enumerate(states)]
        given = self.embed.context(context, len(parts[0].value))
        if self.transformer.history == "markov" and not given.value.shape[1]:
            # No scale sees another: apart, they cost the sum of their squares.
            pieces = [self.transformer(join([given, part])) for part in parts]
        else:
            widths = [given.value.shape[1], *(part.value.shape[1] for part in parts)]
            pieces = list(self.transformer(join([given, *parts])).split(widths, 1)[1:])
        return [
            self.head(h, state, k, part.valid)
            for k, (h, state, part) in enumerate(zip(pieces, states, parts, strict=True))
        ]

    def code_log_prob(self, x: Any, context: Any = None, noise: Noise | None = None) -> Tensor:
        """Exact log-probability (b, K), in nats, of each scale's codes given the coarser ones.

        Args:
            x: Data.
            context: As in `sample_trace`.
            noise: For tokenisers that break symmetries at random.
        """
        with torch.no_grad():
            trace = self.tokenizer.trace(self.tokenizer.features(x, noise))
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
            trace = self.tokenizer.trace(self.tokenizer.features(batch[0], noise), corrupt)
        dists = self.distributions(trace.states[:-1], context)
        weighted, weights, bits = [], [], []
        for k, (dist, code) in enumerate(zip(dists, trace.codes, strict=True)):
            scale, tokens = self.schedule[k], dist.token_log_prob(code)
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
            schedule: Temperature, top-k, top-p and guidance per scale; by default the model's.
            codes: Given codes of the coarsest scales: super-resolution, or a restart half-way.
            keep: Region to hold fixed: inpainting.
            scales: Stop after that many (early exit).
            cached: Whether keys and values are kept; the result is the same.

        Raises:
            InputError: If the schedule has another number of scales than the tokeniser's.
        """
        schedule = schedule or self.schedule
        if len(schedule) != len(self.tokenizer.schedule):
            raise InputError(
                f"The sampling schedule has {len(schedule)} scales, the model "
                f"{len(self.tokenizer.schedule)}: give one entry per scale."
            )
        count = len(noise.index)
        guided = context is not None and any(scale.guidance for scale in schedule)
        contexts = [context, None] if guided else [context]
        call = Caller(self.embed, self.transformer, self.head, contexts, count, cached=cached)

        def choose(state: Any, k: int) -> Quantized:
            dist = call(state, k, schedule[k].guidance)
            if k < len(codes):
                return self.tokenizer.lookup(codes[k], k)
            dist = dist.sharpened(schedule[k].temperature, schedule[k].top_k, schedule[k].top_p)
            code = dist.sample(noise.fork(k))
            if keep is not None:
                reference = self.tokenizer.quantize(keep.features, state, k).code
                code = torch.where(keep.tokens[k][..., None], reference, code)
            return self.tokenizer.lookup(code, k)

        return self.tokenizer.unroll(self.tokenizer.start(count, noise), choose, scales=scales)

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
