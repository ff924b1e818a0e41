"""Teacher forcing equals sampling; causality; seeds; guidance; editing; self-correction."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor

from refine_core.errors import InputError
from refine_core.heads.categorical import BitwiseHead, CategoricalHead, CodeDistribution
from refine_core.heads.distribution import Distribution
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.sampling.intermediates import Intermediates
from refine_core.sampling.settings import Keep, Sampling
from refine_core.tokens import History, Tokens
from refine_core.transformer import Transformer
from tests.refine_core.tiny import DIM, QUANTIZERS, TinyEmbed, refiner, tokenizer

X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, -1])
KINDS = list(QUANTIZERS)


def logits(distribution: Distribution) -> torch.Tensor:
    assert isinstance(distribution, CodeDistribution)
    return distribution.logits


@pytest.mark.parametrize("memory", [0, 2])
@pytest.mark.parametrize("history", ["full", "markov"])
@pytest.mark.parametrize("kind", KINDS)
def test_stepwise_equals_teacher_forced(kind: str, history: History, memory: int) -> None:
    model = refiner(kind, history, memory)
    noise = Noise.range(0, 6)
    trace = model.sample_trace(noise, LABELS)
    plain = model.sample_trace(noise, LABELS, cached=False)
    assert all(torch.equal(a, b) for a, b in zip(trace.codes, plain.codes, strict=True))
    forced = model.distributions(trace.states[:-1], LABELS)
    redrawn = [d.sample(noise.fork(k)) for k, d in enumerate(forced)]
    assert all(torch.equal(a, b) for a, b in zip(trace.codes, redrawn, strict=True))
    # The same probabilities, not only the same draws.
    given = model.sample_trace(noise, LABELS, codes=trace.codes)
    assert all(torch.equal(a, b) for a, b in zip(given.codes, trace.codes, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_later_scales_cannot_change_earlier_ones(kind: str) -> None:
    model = refiner(kind)
    states = model.tokenizer.trace(X).states[:-1]
    base = model.distributions(states, LABELS)
    for changed in range(3):
        other = [s + (k >= changed) * torch.randn_like(s) for k, s in enumerate(states)]
        moved = model.distributions(other, LABELS)
        same = [
            torch.allclose(logits(a), logits(b), atol=1e-6)
            for a, b in zip(base, moved, strict=True)
        ]
        assert same == [k < changed for k in range(3)]


def test_markov_forgets_all_but_the_state() -> None:
    model = refiner(history="markov")
    states = model.tokenizer.trace(X).states[:-1]
    other = [torch.randn_like(states[0]), torch.randn_like(states[1]), states[2]]
    a, b = (logits(model.distributions(s, LABELS)[2]) for s in (states, other))
    assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_code_log_prob_is_normalised(kind: str) -> None:
    """The distribution of the single token of scale 0 sums to one over all its codes."""
    model = refiner(kind)
    dist = model.distributions([model.tokenizer.start(1)] * 3)[0]
    digits, values = logits(dist).shape[2:]
    codes = torch.cartesian_prod(*[torch.arange(values)] * digits).reshape(-1, 1, digits)
    every = CodeDistribution(logits(dist).expand(len(codes), -1, -1, -1))
    assert torch.allclose(every.log_prob(codes).exp().sum(), torch.tensor(1.0), atol=1e-5)
    assert model.code_log_prob(X, LABELS).shape == (6, 3)


def test_samples_follow_the_distribution() -> None:
    model = refiner()
    codes = model.sample_trace(Noise.range(0, 4000), torch.zeros(4000, dtype=torch.int64)).codes[0]
    expected = model.distributions(
        [model.tokenizer.start(1)] * 3, torch.zeros(1, dtype=torch.int64)
    )[0]
    counts = torch.bincount(codes.flatten(), minlength=8)
    probability = logits(expected).double().softmax(-1).flatten().detach()
    assert stats.chisquare(counts.numpy(), (probability * 4000).numpy()).pvalue > 1e-3


@pytest.mark.parametrize("guidance", [0.0, 1.5])
def test_samples_do_not_depend_on_the_batch(guidance: float) -> None:
    model = refiner()
    sampling = [Sampling(guidance=guidance)]
    labels = torch.arange(20) % 3
    whole = model.sample(Noise.range(3, 20), labels, sampling=sampling)
    for part in (slice(0, 1), slice(5, 12), slice(12, 20)):
        index = torch.arange(20)[part]
        assert torch.allclose(
            model.sample(Noise(3, index), labels[part], sampling=sampling), whole[part], atol=1e-5
        )
    assert not torch.equal(model.sample(Noise.range(4, 20), labels), whole)


def test_guidance() -> None:
    model = refiner()
    states = model.tokenizer.trace(X).states[:-1]
    with_class, without = model.distributions(states, LABELS)[1], model.distributions(states)[1]
    guided = with_class.guided(without, 2.0)
    assert torch.allclose(logits(guided), 3 * logits(with_class) - 2 * logits(without))
    assert torch.equal(logits(with_class.guided(without, 0.0)), logits(with_class))
    noise = Noise.range(0, 6)
    sampling = Sampling.per_scale(3, guidance=[0.0, 2.0, 0.0])
    trace = model.sample_trace(noise, LABELS, sampling=sampling)
    a, b = (model.distributions(trace.states[:-1], c)[1] for c in (LABELS, None))
    redrawn = a.guided(b, 2.0).sample(noise.fork(1))
    assert torch.equal(trace.codes[1], redrawn)


def test_temperature_zero_takes_the_likeliest() -> None:
    model = refiner()
    sampling = [Sampling(temperature=0.0)]
    trace = model.sample_trace(Noise.range(0, 6), LABELS, sampling=sampling)
    for dist, code in zip(
        model.distributions(trace.states[:-1], LABELS), trace.codes, strict=True
    ):
        assert torch.equal(logits(dist).argmax(-1), code)


def test_start_from_given_codes_and_stop_early() -> None:
    model = refiner()
    codes = model.tokenizer.encode(X)
    trace = model.sample_trace(Noise.range(0, 6), codes=codes[:2])
    assert torch.equal(trace.codes[0], codes[0]) and torch.equal(trace.codes[1], codes[1])
    early = model.sample(Noise.range(0, 6), codes=codes[:2], scales=2)
    assert torch.allclose(early, model.tokenizer.decode(codes[:2]))


def test_kept_region_is_rederived_from_the_reference() -> None:
    model = refiner()
    noise = Noise.range(0, 6)
    every = [torch.ones(6, s.tokens, dtype=torch.bool) for s in model.tokenizer.schedule]
    kept = model.sample_trace(noise, keep=Keep(X, every)).codes
    assert all(torch.equal(a, b) for a, b in zip(kept, model.tokenizer.encode(X), strict=True))
    none = [~mask for mask in every]
    free = model.sample(noise, keep=Keep(X, none))
    assert torch.equal(free, model.sample(noise))


def test_every_parameter_gets_a_gradient() -> None:
    model = refiner(corruption=0.3, dropout=0.5).train()
    model((X, LABELS), Noise.range(0, 6))["loss"].backward()
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert learned and all(p.grad is not None and p.grad.abs().sum() > 0 for p in learned.values())
    assert not any(name.startswith("tokenizer") for name in learned)


def test_self_correction_rederives_later_targets() -> None:
    tokens = tokenizer()
    corrupted = tokens.trace(X, lambda code, k: (code + 1) % 8 if k == 0 else code)
    clean = tokens.trace(X)
    assert torch.equal(corrupted.codes[0], clean.codes[0])
    rederived = tokens.quantize(X, corrupted.states[1], 1).code
    assert torch.equal(corrupted.codes[1], rederived) and not torch.equal(
        rederived, clean.codes[1]
    )


def test_loss_is_the_mean_token_nll() -> None:
    model = refiner()
    losses = model((X, LABELS), Noise.range(0, 6))
    nats = -model.code_log_prob(X, LABELS).sum(1).mean()
    assert torch.allclose(losses["loss"], nats / 30, atol=1e-6) and losses["count"] == 6 * 30
    assert torch.allclose(losses["bits"], nats / torch.log(torch.tensor(2.0)), atol=1e-5)


def test_padding_cannot_be_seen() -> None:
    model = refiner()

    def run(filler: float, extra: int) -> torch.Tensor:
        value = torch.full((2, 3 + extra, 8), filler)
        value[:, :3] = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(2))
        level = torch.ones(3 + extra, dtype=torch.int64)
        valid = torch.arange(3 + extra)[None].expand(2, -1) < 3
        hidden: torch.Tensor = model.transformer(Tokens(value, level, valid))
        return hidden[:, :3]

    assert torch.allclose(run(0.0, 2), run(9.0, 5), atol=1e-6)


def test_equivariant_without_positions() -> None:
    model = refiner()
    value, bias = torch.randn(2, 6, 8), torch.randn(2, 2, 6, 6)
    shuffle = torch.randperm(6)
    level = torch.ones(6, dtype=torch.int64)
    straight = model.transformer(Tokens(value, level, bias=bias))
    moved = model.transformer(
        Tokens(value[:, shuffle], level, bias=bias[:, :, shuffle][..., shuffle])
    )
    assert torch.allclose(moved, straight[:, shuffle], atol=1e-5)


class Described(TinyEmbed):
    """An embedding whose tokens have a condition of the state, and a bias, with a context only."""

    def condition(self, context: Tensor | None, count: int) -> Tensor | None:  # type: ignore[override]
        return None if context is None else super().condition(context, count)

    def memory(self, context: Tensor | None, count: int) -> Tokens | None:
        return None if context is None else super().memory(context, count)

    def forward(self, state: Tensor, k: int, context: Tensor | None = None) -> Tokens:
        tokens = super().forward(state, k, context)
        if context is None:
            return tokens
        n = tokens.value.shape[1]
        valid = torch.ones(len(context), n, dtype=torch.bool)
        valid[:, -1] = n == 1
        bias = torch.arange(n * n).reshape(1, 1, n, n).sin() + 0.1 * context[:, None, None, None]
        own = state.mean((2, 3)).repeat(1, 2) + context[:, None]
        return replace(tokens, condition=own, bias=bias, valid=valid)


def described(history: History) -> Refiner[Tensor, Tensor, Tensor, Tensor]:
    model = refiner("vq", history)
    embed = Described(tokenizer("vq"), 8, 2)
    embed.load_state_dict(model.embed.state_dict())
    embed.view, embed.take = model.embed.view, model.embed.take  # type: ignore[assignment]
    model.embed = embed
    return model


@pytest.mark.parametrize("history", ["full", "markov"])
def test_guidance_compares_all_that_the_context_says(history: History) -> None:
    """Conditions, validity and biases that only one of the branches has are not dropped."""
    model, noise = described(history), Noise.range(0, 6)
    labels = LABELS.clamp(min=0)
    sampling = [Sampling(guidance=1.5)]
    trace = model.sample_trace(noise, labels, sampling=sampling)
    with_class = model.distributions(trace.states[:-1], labels)
    without = model.distributions(trace.states[:-1])
    for k, (a, b) in enumerate(zip(with_class, without, strict=True)):
        assert not torch.allclose(logits(a), logits(b), atol=1e-3)
        assert torch.equal(a.guided(b, 1.5).sample(noise.fork(k)), trace.codes[k])


@pytest.mark.parametrize("history", ["full", "markov"])
def test_conditions_of_the_state_are_the_same_in_both_ways(history: History) -> None:
    model, noise = described(history), Noise.range(0, 6)
    labels = LABELS.clamp(min=0)
    trace = model.sample_trace(noise, labels)
    forced = model.distributions(trace.states[:-1], labels)
    call = model.caller(labels, 6)
    for k, dist in enumerate(forced):
        assert torch.allclose(logits(call(trace.states[k], k)), logits(dist), atol=1e-5)


def test_guidance_needs_a_context() -> None:
    with pytest.raises(InputError, match="guidance without a context"):
        refiner().sample(Noise.range(0, 2), sampling=[Sampling(guidance=1.0)])
    with pytest.raises(InputError, match="sampling has 2 values for 3 scales"):
        refiner().sample(Noise.range(0, 2), sampling=[Sampling(), Sampling()])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transformer": Transformer(8, 1, 2, 3, 8)}, "3 levels for 3 scales"),
        ({"head": CategoricalHead(9, 1, [8, 8, 8])}, "width 9, the transformer's have 8"),
        ({"head": CategoricalHead(8, 2, [8, 8, 8])}, r"\(2, 8\) each for the scales"),
        ({"head": CategoricalHead(8, 1, [8, 8])}, "build the head from"),
        ({"head": BitwiseHead(8, 1, 3)}, r"\(1, 2\) each .* tokeniser's have \(1, 8\) each"),
        ({"weights": [1.0, 2.0]}, "weights has 2 values for 3 scales"),
        ({"weights": [-1.0]}, "loss weights"),
        ({"corruption": 7.0}, "corruption is 7.0, expected a share"),
        ({"dropout": -0.1}, "dropout is -0.1, expected a share"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    model = refiner()
    names = ("tokenizer", "embed", "transformer", "head")
    with pytest.raises(InputError, match=message):
        Refiner(**{**{name: getattr(model, name) for name in names}, **change})


def test_unknown_histories_are_refused() -> None:
    with pytest.raises(InputError, match="Did you mean 'markov'"):
        Transformer(8, 1, 2, 4, 8, history="markow")  # type: ignore[arg-type]


WEIGHTS = [(0.0, 0.0, 1.5), (0.0, 1.5, 0.0), (1.5, 0.0, 1.5), (1.5, 0.0, 0.0), (0.7, 1.5, 2.0)]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("kind", ["plain", "described"])
@pytest.mark.parametrize("history", ["full", "markov"])
def test_scales_without_guidance_are_called_once(
    history: History, kind: str, weights: tuple[float, ...]
) -> None:
    """Whatever scales are guided, each has the probabilities of both branches at once."""
    model = refiner(history=history) if kind == "plain" else described(history)
    labels, noise = LABELS.clamp(min=0), Noise.range(0, 6)
    states = model.sample_trace(noise, labels).states[:-1]
    given, free = model.distributions(states, labels), model.distributions(states)
    for cached in (True, False):
        call = model.caller(labels, 6, guided=True, cached=cached)
        for k, weight in enumerate(weights):
            expected = given[k].guided(free[k], weight)
            assert torch.allclose(logits(call(states[k], k, weight)), logits(expected), atol=1e-4)


@pytest.mark.parametrize(
    ("weights", "rows"), [((0.0, 0.0, 0.0), [6, 6, 6]), ((0.0, 1.0, 0.0), [6, 6, 6, 6])]
)
def test_rows_without_guidance_are_half(
    weights: tuple[float, ...], rows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, seen = refiner(memory=0), []
    forward = model.transformer.forward

    def counted(tokens: Tokens, *rest: object) -> Tensor:
        seen.append(len(tokens.value))
        return forward(tokens, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(model.transformer, "forward", counted)
    call = model.caller(LABELS, 6, guided=True)
    for k, state in enumerate(model.tokenizer.trace(X).states[:-1]):
        call(state, k, weights[k])
    assert seen == rows


@pytest.mark.parametrize("history", ["full", "markov"])
@pytest.mark.parametrize("cached", [True, False])
def test_skipped_scales_are_seen_later(history: History, cached: bool) -> None:
    for model in (refiner(history=history), described(history)):
        states, labels = model.tokenizer.trace(X).states[:-1], LABELS.clamp(min=0)
        given, free = model.distributions(states, labels), model.distributions(states)
        call = model.caller(labels, 6, guided=True, cached=cached)
        call.skip(states[0], 0)
        call.skip(states[1], 1)
        expected = given[2].guided(free[2], 1.5)
        assert torch.allclose(logits(call(states[2], 2, 1.5)), logits(expected), atol=1e-4)


def test_what_is_called_after_each_scale() -> None:
    model, noise = refiner(), Noise.range(3, 6)
    steps = Intermediates[Tensor]()
    whole = model.sample(noise, LABELS, after_scale=steps)
    assert [step.scale for step in steps] == [0, 1, 2]
    for scale, step in enumerate(steps):
        assert step.index.tolist() == noise.index.tolist()
        assert torch.equal(step.data, model.sample(noise, LABELS, scales=scale + 1))
    assert torch.equal(steps[-1].data, whole)


def test_frozen_tokenisers_encode_alike_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = refiner(), torch.randn(64, DIM, 5, 5, generator=torch.Generator().manual_seed(3))
    seen: list[list[Tensor]] = []
    kept = type(model).losses

    def losses(self: object, done: Any) -> dict[str, Tensor]:
        seen.append(done.trace.codes)
        return kept(model, done)

    monkeypatch.setattr(type(model), "losses", losses)
    model((x,), Noise.range(0, 64))
    with torch.autocast("cpu", torch.bfloat16):
        model((x,), Noise.range(0, 64))
    assert all(map(torch.equal, *seen))
