"""The refiner: an exact likelihood of codes in one call, and samples in K calls.

    p(codes | context) = prod_k p(c_k | s_<k, context)

Teacher forcing embeds the state before every scale at once; sampling embeds one state after the
other and keeps keys and values. Both give the same per-scale probabilities, which the tests check
first.
"""

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from itertools import zip_longest
from typing import Generic, Self, cast

import torch
from torch import Tensor, nn

from refine_core.device import full_precision
from refine_core.embed import ContextT, Embed
from refine_core.errors import InputError
from refine_core.heads.categorical import BitwiseHead, CategoricalHead
from refine_core.heads.depth import DepthHead
from refine_core.heads.distribution import Distribution, Head, OwnLoss
from refine_core.heads.flow import FlowHead
from refine_core.heads.gaussian import GaussianMixtureHead
from refine_core.heads.mixture import MixtureHead
from refine_core.methods.base import Encode, Method, SamplingRun, TrainingPass, Unroll, Weight
from refine_core.noise import Noise, Stream
from refine_core.sampling.caller import Call, Caller, Chooser
from refine_core.sampling.intermediates import AfterScale, Intermediate, through
from refine_core.sampling.settings import Keep, Sampling
from refine_core.schedule import per_scale
from refine_core.tokenizer import After, DataT, FeaturesT, StateT, Tokenizer, Trace
from refine_core.tokens import Tokens, join
from refine_core.transformer import Transformer


class Refiner(nn.Module, Generic[DataT, FeaturesT, StateT, ContextT]):
    """A generative model over a tokeniser's codes.

    Args:
        tokenizer: Frozen here.
        embed: States and context to tokens.
        transformer: Tokens to hidden states.
        head: Hidden states to distributions.
        weights: Weight of a token's loss: one for all scales, or one each.
        corruption: Largest share of digits replaced at random in self-correction training; each
            sample draws its share uniformly below it. Later scales' targets are derived anew. 0 is
            off.
        dropout: Share of training samples whose context is dropped, for guidance.
        methods: Methods of training and sampling, in this order, see `refine_core.methods`.

    Raises:
        InputError: A number is out of its range, or the parts do not fit together.

    >>> import torch
    >>> import refine_core as rc
    >>> scales, same = rc.ScaleSchedule.geometric((1,), (4,), 3), torch.nn.Identity()
    >>> parts = scales, rc.area(scales.sizes), [rc.VQ(16, 8)] * 3, same, same
    >>> tokenizer = rc.ResidualTokenizer(*parts)  # of data (b, 8, 4)
    >>> embed, head = rc.GridEmbed(tokenizer, dim=32), rc.CategoricalHead(32, 1, [16] * 3)
    >>> refiner = rc.Refiner(tokenizer, embed, rc.Transformer(32, 1, 2, 4, 32), head)
    >>> samples = refiner.sample(rc.Noise.range(0, 2))
    >>> samples.shape, refiner.code_log_prob(samples).shape  # nats, of each scale
    (torch.Size([2, 8, 4]), torch.Size([2, 3]))
    """

    calls_vary = False
    """Whether a training step calls the transformer more or less often, as the samples are: then
    sharded training (`fsdp`) gathers all of the refiner at once, not block by block."""

    def __init__(
        self,
        tokenizer: Tokenizer[DataT, FeaturesT, StateT],
        embed: Embed[StateT, ContextT],
        transformer: Transformer,
        head: Head[StateT],
        *,
        weights: Sequence[float] = (1.0,),
        corruption: float = 0.0,
        dropout: float = 0.0,
        methods: Sequence[Method[DataT, FeaturesT, StateT, ContextT]] = (),
    ) -> None:
        super().__init__()
        for name, share in (("corruption", corruption), ("dropout", dropout)):
            if not 0 <= share <= 1:
                raise InputError(f"{name} is {share}, expected a share from 0 to 1.")
        if min(weights, default=0) < 0:
            raise InputError(f"Found loss weights {list(weights)}, expected zero or more.")
        _check(tokenizer, embed, transformer, head)
        self.tokenizer = tokenizer.requires_grad_(False)
        self.embed = embed
        self.transformer = transformer
        self.head = head
        self.weights = per_scale("weights", weights, len(tokenizer.schedule))
        self.corruption = corruption
        self.dropout = dropout
        self.methods = nn.ModuleList(methods)
        for method in methods:
            method.attach(self)

    def train(self, mode: bool = True) -> Self:
        """Training mode for all but the frozen tokeniser."""
        super().train(mode)
        self.tokenizer.eval()
        return self

    @property
    def own_methods(self) -> list[Method[DataT, FeaturesT, StateT, ContextT]]:
        """The refiner's methods, in their order."""
        return cast(list[Method[DataT, FeaturesT, StateT, ContextT]], list(self.methods))

    @property
    def recurrent(self) -> bool:
        """Whether a method tells a scale what the one before predicted."""
        return any(method.recurrent for method in self.own_methods)

    def tokens(
        self,
        state: StateT,
        k: int,
        context: ContextT | None = None,
        notes: Sequence[Tensor | None] = (),
    ) -> Tokens:
        """Tokens of scale k, with their level; `notes` are those of the scale before."""
        tokens = self.embed(state, k, context)
        for method, note in zip_longest(self.own_methods, notes):
            tokens = method.tokens(tokens, state, k, note)
        return tokens.at(self.embed.level(state, k))  # type: ignore[no-any-return]

    @torch.no_grad()
    def notes(self, dist: Distribution, state: StateT, k: int) -> list[Tensor | None]:
        """What each method tells the scale after k, see `Method.note`."""
        return [method.note(self, dist, state, k) for method in self.own_methods]

    def distributions(
        self, states: Sequence[StateT], context: ContextT | None = None
    ) -> list[Distribution]:
        """Distributions of the codes of each scale given the states before them, at once.

        Where a method tells scales what the one before predicted, they come one after the other.
        """
        if self.recurrent:
            count = len(self.embed(states[0], 0, context).value)
            call = Caller(self, [context], count, cached=True)
            return [call(state, k) for k, state in enumerate(states)]
        return self._at_once(states, context)

    def _at_once(
        self,
        states: Sequence[StateT],
        context: ContextT | None,
        notes: Sequence[Sequence[Tensor | None]] = (),
    ) -> list[Distribution]:
        """`distributions` in one call; `notes` are those of the scale before each scale."""
        told = [*notes, *[()] * (len(states) - len(notes))]
        parts = [self.tokens(state, k, context, told[k]) for k, state in enumerate(states)]
        count = len(parts[0].value)
        condition, memory = self.embed.condition(context, count), self.embed.memory(context, count)
        if self.transformer.history == "markov" and memory is None:
            # No scale sees another: apart, they cost the sum of their squares.
            pieces = [self.transformer(join([part], condition)) for part in parts]
        else:
            before = [] if memory is None else [memory.at(0)]
            hidden = self.transformer(join([*before, *parts], condition))
            widths = [part.value.shape[1] for part in [*before, *parts]]
            pieces = list(hidden.split(widths, 1)[len(before) :])
        return [
            self.head(h, state, k, part.valid)
            for k, (h, state, part) in enumerate(zip(pieces, states, parts, strict=True))
        ]

    def code_log_prob(
        self, x: DataT, context: ContextT | None = None, noise: Noise | None = None
    ) -> Tensor:
        """Exact log-probability (b, K), in nats, of each scale's codes given the coarser ones.

        Args:
            x: Data.
            context: See `sample_trace`.
            noise: For tokenisers that break symmetries at random.
        """
        with torch.no_grad():
            trace = self.tokenizer.trace(self.tokenizer.features(x, noise))
        dists = self.distributions(trace.states[:-1], context)
        return torch.stack([d.log_prob(c) for d, c in zip(dists, trace.codes, strict=True)], 1)

    def forward(
        self, batch: tuple[DataT] | tuple[DataT, ContextT], noise: Noise
    ) -> dict[str, Tensor]:
        """Training losses of data `batch[0]` with context `batch[1]`, if there is one.

        "loss" is the weighted mean negative log-probability of a token in nats, over "count"
        tokens; "bits" is a sample's in bits. A head with a loss of its own (`OwnLoss`) gives that
        in place of the log-probability, and no bits.
        """
        context = batch[1] if len(batch) > 1 else None
        if context is not None and self.dropout:
            dropped = noise.uniform(Stream.CONTEXT_DROPOUT) < self.dropout
            context = self.embed.drop(context, dropped)
        # What is frozen encodes as it does when codes are measured.
        with torch.no_grad(), full_precision(noise.index.device):
            features = self.tokenizer.features(batch[0], noise)
            corrupt = self.tokenizer.corruption(noise, self.corruption)
            trace = self._encode(noise)(features, corrupt if self.corruption else None)
        dists = self._training_distributions(trace.states[:-1], context, noise)
        return self.losses(TrainingPass(features, context, noise, trace, dists))

    def _encode(self, noise: Noise) -> Encode[FeaturesT, StateT]:
        """The forward process of training, as the methods change it."""
        encode: Encode[FeaturesT, StateT] = self.tokenizer.trace
        for method in self.own_methods:
            encode = method.encode(encode, self, noise)
        return encode

    def _training_distributions(
        self, states: Sequence[StateT], context: ContextT | None, noise: Noise
    ) -> list[Distribution]:
        """Distributions for the loss; in half of the steps told what a first pass predicts."""
        step = Noise(noise.seed, noise.index.new_zeros(1))  # the same in all parts of a batch
        if not self.recurrent or float(step.uniform(Stream.NOTES)) < 0.5:
            return self._at_once(states, context)
        with torch.no_grad():
            first = self._at_once(states, context)
        each = zip(first[:-1], states, strict=False)
        told = [self.notes(dist, state, k) for k, (dist, state) in enumerate(each)]
        return self._at_once(states, context, [(), *told])

    def losses(self, done: TrainingPass[FeaturesT, StateT, ContextT]) -> dict[str, Tensor]:
        """Losses of what one pass has computed, see `forward`."""
        each: list[Weight] = list(self.weights)
        for method in self.own_methods:
            each = method.weights(each, self, done)
        weighted, bits = [], []
        weights: list[Tensor | float] = []
        pairs = zip(each, done.distributions, done.trace.codes, strict=False)
        for k, (weight, dist, code) in enumerate(pairs):
            if isinstance(dist, OwnLoss):
                tokens = -dist.token_loss(code, done.noise.fork(k))
            else:
                tokens = dist.token_log_prob(code)
                bits.append(-tokens.detach().sum(1).mean() / math.log(2))
            count = tokens.numel() if dist.valid is None else dist.valid.sum()
            if isinstance(weight, Tensor):
                real = 1.0 if dist.valid is None else dist.valid
                weighted.append(-(weight * tokens).sum())
                weights.append((weight * real * torch.ones_like(tokens)).sum())
            else:
                weighted.append(-weight * tokens.sum())
                weights.append(weight * count)
        count = torch.as_tensor(sum(weights))
        further = self.further_losses(done)
        loss = sum(weighted, torch.zeros(())) / count
        loss = sum(further.values(), loss)
        likelihood = {"bits": torch.stack(bits).sum()} if bits else {}
        return {"loss": loss, **likelihood, **further, "count": count}

    def losses_on(self, done: TrainingPass[FeaturesT, StateT, ContextT]) -> dict[str, Tensor]:
        """Losses of this refiner on a pass of another over the same tokeniser."""
        dists = self._at_once(done.trace.states[:-1], done.context)
        return self.losses(replace(done, distributions=dists))

    def further_losses(self, done: TrainingPass[FeaturesT, StateT, ContextT]) -> dict[str, Tensor]:
        """Losses that the methods add, by name."""
        found = [method.losses(self, done).items() for method in self.own_methods]
        return {name: loss for losses in found for name, loss in losses}

    def with_parts(
        self,
        embed: Embed[StateT, ContextT],
        transformer: Transformer,
        head: nn.Module,
        methods: Sequence[Method[DataT, FeaturesT, StateT, ContextT]] = (),
    ) -> Self:
        """A refiner of other networks over the same tokeniser, which it shares."""
        made = copy(self)
        made._modules = {"tokenizer": self.tokenizer, "embed": embed, "transformer": transformer}
        made._modules |= {"head": head, "methods": nn.ModuleList(methods)}
        return made

    def after_step(self) -> None:
        """Let the methods learn from the step."""
        for method in self.own_methods:
            method.after_step()

    def caller(
        self,
        context: ContextT | None,
        count: int,
        *,
        guided: bool = False,
        cached: bool = True,
        methods: Sequence[Method[DataT, FeaturesT, StateT, ContextT]] = (),
    ) -> Call[StateT]:
        """What sampling calls for one scale after the other.

        Args:
            context: Context of `count` samples.
            count: Number of samples.
            guided: Whether distributions without the context are computed as well.
            cached: Whether keys and values are kept; the result is the same.
            methods: Further methods; they take the place of the refiner's own of their name.
        """
        contexts = [context, None] if guided else [context]
        plain = Caller(self, contexts, count, cached=cached)
        call: Call[StateT] = plain
        run = SamplingRun(context, count, guided, cached)
        for method in self._with_given(methods):
            call = method.call(call, self, run)
        return call

    def _with_given(
        self, methods: Sequence[Method[DataT, FeaturesT, StateT, ContextT]]
    ) -> list[Method[DataT, FeaturesT, StateT, ContextT]]:
        """The refiner's own methods but those that are given, then these."""
        names = {method.name for method in methods} - {""}
        return [*(own for own in self.own_methods if own.name not in names), *methods]

    @torch.no_grad()
    def sample_trace(
        self,
        noise: Noise,
        context: ContextT | None = None,
        *,
        sampling: Sequence[Sampling] = (Sampling(),),
        codes: Sequence[Tensor] = (),
        keep: Keep[FeaturesT] | None = None,
        scales: int | None = None,
        cached: bool = True,
        methods: Sequence[Method[DataT, FeaturesT, StateT, ContextT]] = (),
        after_scale: AfterScale[DataT] | None = None,
    ) -> Trace[StateT]:
        """Sample codes scale by scale, with one call of the transformer each.

        Args:
            noise: Names the samples; sample i depends on the seed and its own index only.
            context: What the embedding takes as context.
            sampling: Temperature, top-k, top-p and guidance: one for all scales, or one each.
            codes: Given codes of the coarsest scales, as for super-resolution.
            keep: Region to hold fixed: inpainting.
            scales: Stop after that many (early exit).
            cached: Whether keys and values are kept; the result is the same.
            methods: Further methods; they take the place of the refiner's own of their name.
            after_scale: Called after each scale with the samples as they are so far; to decode
                them costs time.

        Raises:
            InputError: There is neither one `sampling` nor one per scale, or guidance without a
                context.
        """
        each = per_scale("sampling", sampling, len(self.tokenizer.schedule))
        guided = any(scale.guidance for scale in each)
        if guided and context is None:
            raise InputError(
                "Found guidance without a context, so there is nothing to guide to: "
                "give a context, or leave guidance at 0."
            )
        call = self.caller(context, len(noise), guided=guided, cached=cached, methods=methods)
        told = through(after_scale, self.tokenizer.finish)
        after: After[StateT] | None = (
            None
            if told is None
            else lambda state, k: told(Intermediate(k, noise.index.cpu(), state))
        )
        choose = Chooser(self.tokenizer, call, each, noise, codes, keep, after)
        unroll: Unroll[StateT, FeaturesT] = self._unroll
        for method in self._with_given(methods):
            unroll = method.unroll(unroll, self)
        return unroll(self.tokenizer.start(len(noise), noise), choose, scales)

    def _unroll(
        self, state: StateT, choose: Chooser[FeaturesT, StateT], scales: int | None
    ) -> Trace[StateT]:
        """All samples through all scales."""
        return self.tokenizer.unroll(state, choose, scales=scales, after=choose.after)

    @torch.no_grad()
    def sample(
        self,
        noise: Noise,
        context: ContextT | None = None,
        *,
        sampling: Sequence[Sampling] = (Sampling(),),
        codes: Sequence[Tensor] = (),
        keep: Keep[FeaturesT] | None = None,
        scales: int | None = None,
        cached: bool = True,
        methods: Sequence[Method[DataT, FeaturesT, StateT, ContextT]] = (),
        after_scale: AfterScale[DataT] | None = None,
    ) -> DataT:
        """Sample data; arguments as in `sample_trace`."""
        trace = self.sample_trace(
            noise,
            context,
            sampling=sampling,
            codes=codes,
            keep=keep,
            scales=scales,
            cached=cached,
            methods=methods,
            after_scale=after_scale,
        )
        return self.tokenizer.finish(trace.states[-1])


def _check(
    tokenizer: Tokenizer[DataT, FeaturesT, StateT],
    embed: Embed[StateT, ContextT],
    transformer: Transformer,
    head: Head[StateT],
) -> None:
    """Refuse parts that do not fit together."""
    scales = len(tokenizer.schedule)
    if type(embed).level is Embed.level and transformer.levels < scales + 1:
        raise InputError(
            f"The transformer has {transformer.levels} levels for {scales} scales and the context"
            f": give it `levels={scales + 1}`."
        )
    known = CategoricalHead | BitwiseHead | DepthHead | MixtureHead
    if not isinstance(head, known | GaussianMixtureHead | FlowHead):
        return
    if head.dim != transformer.dim:
        raise InputError(
            f"The head takes hidden states of width {head.dim}, the transformer's have "
            f"{transformer.dim}: make them equal."
        )
    wanted = [(tokenizer.digits(k), tokenizer.digit_values(k)) for k in range(scales)]
    found = [(head.digits, size) for size in head.sizes]
    if found != wanted:
        raise InputError(
            f"The head predicts codes of (digits, values) {_listed(found)} for the scales, the "
            f"tokeniser's have {_listed(wanted)}: build the head from `tokenizer.digits(k)` and "
            "`tokenizer.digit_values(k)`."
        )


def _listed(pairs: list[tuple[int, int]]) -> str:
    """All pairs, or the one that all are."""
    return f"{pairs[0]} each" if len(set(pairs)) == 1 else str(pairs)
