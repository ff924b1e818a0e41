"""Heads whose digits know each other: exact laws, and draws that follow them."""

import itertools
from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.heads.categorical import CodeDistribution
from refine_core.heads.config import HeadConfig, build_head
from refine_core.heads.depth import DepthHead, SequentialDistribution
from refine_core.heads.distribution import Distribution
from refine_core.heads.mixture import MixtureDistribution, MixtureHead
from refine_core.noise import Noise, Stream
from tests.refine_core.tiny import refiner, tokenizer

Across = Literal["digits", "tokens"]
CASES: list[tuple[Literal["depth", "mixture"], Across]] = [
    ("depth", "digits"),
    ("depth", "tokens"),
    ("mixture", "digits"),
    ("mixture", "tokens"),
]
DIGITS, VALUES, TOKENS = 2, 3, 2


def head(kind: Literal["depth", "mixture"], across: Across) -> DepthHead | MixtureHead:
    torch.manual_seed(1)
    config = HeadConfig(kind=kind, across=across, width=16, depth=2, heads=2, components=3, rank=4)
    made = build_head(config, 8, DIGITS, [4, VALUES])
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    assert isinstance(made, DepthHead | MixtureHead)
    return made.eval()


def every_code() -> Tensor:
    values = itertools.product(range(VALUES), repeat=TOKENS * DIGITS)
    return torch.tensor(list(values)).reshape(-1, TOKENS, DIGITS)


def repeated(kind: Literal["depth", "mixture"], across: Across, count: int) -> Distribution:
    hidden = torch.randn(1, TOKENS, 8, generator=torch.Generator().manual_seed(2))
    made: Distribution = head(kind, across)(hidden.expand(count, -1, -1), None, 1)
    return made


@pytest.mark.parametrize(("kind", "across"), CASES)
def test_codes_have_probability_one_and_are_drawn_as_often(
    kind: Literal["depth", "mixture"], across: Across
) -> None:
    codes = every_code()
    probability = repeated(kind, across, len(codes)).log_prob(codes).exp()
    assert torch.allclose(probability.sum(), torch.ones(()), atol=1e-5)
    drawn = repeated(kind, across, 20_000).sample(Noise.range(0, 20_000))
    place = (drawn.flatten(1) * VALUES ** torch.arange(TOKENS * DIGITS - 1, -1, -1)).sum(1)
    counts = torch.bincount(place, minlength=len(codes))
    expected = 20_000 * probability
    many = expected > 5
    chi_square = ((counts - expected).square() / expected)[many].sum()
    assert chi_square < 2 * many.sum()


@pytest.mark.parametrize(("kind", "across"), CASES)
def test_what_knows_each_other(kind: Literal["depth", "mixture"], across: Across) -> None:
    codes = every_code()
    probability = repeated(kind, across, len(codes)).log_prob(codes).exp()
    table = probability.reshape([VALUES] * (TOKENS * DIGITS))
    tokens = table.flatten(2).flatten(0, 1)
    apart = tokens.sum(1)[:, None] * tokens.sum(0)[None]
    assert torch.allclose(tokens, apart, atol=1e-6) == (across == "digits")
    first = tokens.sum(1).reshape(VALUES, VALUES)
    assert not torch.allclose(first, first.sum(1)[:, None] * first.sum(0)[None], atol=1e-4)


@pytest.mark.parametrize("across", ["digits", "tokens"])
def test_steps_give_the_logits_of_teacher_forcing(across: Across) -> None:
    made, hidden = head("depth", across), torch.randn(5, 3, 8)
    valid = torch.tensor([[True, True, True], [True, True, False]])[[0, 1, 0, 1, 1]]
    assert isinstance(made, DepthHead)
    code = made(hidden, None, 1, valid).sample(Noise.range(3, 5))
    at_once = made.logits(hidden, code, 1, valid)
    steps, flat = made.start(hidden, 1, valid), code
    if across == "digits":
        flat = code.flatten(0, 1)
    flat = flat.reshape(len(flat), -1)
    stepwise = [steps(flat[:, t - 1] if t else None) for t in range(flat.shape[1])]
    found = torch.stack(stepwise, 1).reshape(at_once.shape)
    assert torch.allclose(found[valid], at_once[valid], atol=1e-5)


@pytest.mark.parametrize("across", ["digits", "tokens"])
def test_padding_changes_nothing(across: Across) -> None:
    for kind in ("depth", "mixture"):
        made, hidden = head(kind, across), torch.randn(1, 3, 8)
        valid = torch.tensor([[True, True, False]])
        code = torch.tensor([[[0, 1], [2, 0], [1, 1]]])
        padded = made(hidden, None, 1, valid).token_log_prob(code)
        alone = made(hidden[:, :2], None, 1).token_log_prob(code[:, :2])
        assert torch.allclose(padded[:, :2], alone, atol=1e-5) and padded[0, 2] == 0


@pytest.mark.parametrize(("kind", "across"), CASES)
def test_a_sample_does_not_depend_on_its_batch(
    kind: Literal["depth", "mixture"], across: Across
) -> None:
    made, hidden = head(kind, across), torch.randn(6, TOKENS, 8)
    whole = made(hidden, None, 1).sample(Noise.range(4, 6))
    part = made(hidden[3:], None, 1).sample(Noise(4, torch.arange(3, 6)))
    assert torch.equal(whole[3:], part)


@pytest.mark.parametrize(("kind", "across"), CASES)
def test_limits_of_guidance_and_temperature(
    kind: Literal["depth", "mixture"], across: Across
) -> None:
    made, hidden, free = head(kind, across), torch.randn(4, TOKENS, 8), torch.randn(4, TOKENS, 8)
    dist, other, noise = made(hidden, None, 1), made(free, None, 1), Noise.range(0, 4)
    code = dist.sample(noise)
    assert torch.equal(dist.guided(other, 0.0).sharpened().sample(noise), code)
    away = dist.guided(other, -1 + 1e-6).log_prob(code)
    assert torch.allclose(away, other.log_prob(code), atol=1e-3)
    cold = dist.sharpened(0.0)
    assert kind == "mixture" or torch.equal(cold.sample(noise), cold.sample(Noise.range(9, 4)))


def test_guided_digits_follow_the_mixed_logits() -> None:
    made = head("depth", "digits")
    assert isinstance(made, DepthHead)
    hidden, free = torch.randn(2, 1, 1, 8)
    many = [x.expand(20_000, 1, 8) for x in (hidden, free)]
    dist = made(many[0], None, 1).guided(made(many[1], None, 1), 1.5)
    drawn = dist.sample(Noise.range(5, 20_000))[:, 0]
    given = made.logits(hidden, drawn[:1, None], 1, None)[0, 0, 0]
    other = made.logits(free, drawn[:1, None], 1, None)[0, 0, 0]
    mixed = (2.5 * given - 1.5 * other).softmax(0)
    share = torch.bincount(drawn[:, 0], minlength=VALUES) / 20_000
    assert torch.allclose(share, mixed, atol=0.015)


def test_a_shared_component_is_a_sum_over_samples() -> None:
    torch.manual_seed(0)
    weights, logits = torch.randn(4, 1, 3).log_softmax(-1), torch.randn(4, 2, 3, 2, 5)
    code = torch.randint(5, (4, 2, 2))
    each = torch.stack([CodeDistribution(logits[:, :, m]).log_prob(code) for m in range(3)], 1)
    expected = torch.logsumexp(weights[:, 0] + each, 1)
    assert torch.allclose(MixtureDistribution(weights, logits).log_prob(code), expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "across"), CASES)
@pytest.mark.parametrize("codes", ["product", "interleaved"])
def test_refiner_teacher_forced_equals_stepwise(
    kind: Literal["depth", "mixture"], across: Across, codes: str
) -> None:
    model, tokens = refiner(codes), tokenizer(codes)
    sizes = [tokens.digit_values(k) for k in range(len(tokens.schedule))]
    config = HeadConfig(kind=kind, across=across, width=16, heads=2)
    made = build_head(config, 8, tokens.digits(0), sizes)
    model.head = made.eval()
    context = torch.tensor([0, 1, 2])
    trace = model.sample_trace(Noise.range(0, 3), context)
    call = model.caller(context, 3)
    stepwise = torch.stack(
        [call(trace.states[k], k).log_prob(code) for k, code in enumerate(trace.codes)], 1
    )
    at_once = model.distributions(trace.states[:-1], context)
    forced = torch.stack([d.log_prob(c) for d, c in zip(at_once, trace.codes, strict=True)], 1)
    assert torch.allclose(stepwise, forced, atol=1e-4)


def test_gradients_reach_every_part() -> None:
    for kind, across in CASES:
        made = head(kind, across).train()
        code = torch.randint(VALUES, (3, TOKENS, DIGITS))
        made(torch.randn(3, TOKENS, 8), None, 1).log_prob(code).sum().backward()
        still = [n for n, p in made.named_parameters() if p.grad is None and ".0." not in n]
        assert not still, still


def test_sharpening_a_digit_sees_those_before_it() -> None:
    dist = repeated("depth", "tokens", 50)
    assert isinstance(dist, SequentialDistribution)
    kept = replace(dist, top_k=1).sample(Noise.range(0, 50))
    assert bool((kept == kept[:1]).all())
    given = dist.given(kept).logits.argmax(-1)
    assert torch.equal(given, kept)


def test_wrong_heads() -> None:
    with pytest.raises(InputError, match="10 does not divide into 4 heads"):
        DepthHead(8, 1, [4], width=10, heads=4)
    with pytest.raises(InputError, match="Did you mean 'tokens'"):
        DepthHead(8, 1, [4], across="token")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="0 components of rank 3"):
        MixtureHead(8, 1, [4], components=0, rank=3)


@pytest.mark.parametrize("across", ["digits", "tokens"])
def test_a_head_that_adds_to_an_independent_one_starts_from_it(across: Across) -> None:
    torch.manual_seed(1)
    made = DepthHead(8, DIGITS, [4, VALUES], across=across, width=16, heads=2, base=True)
    hidden, code = torch.randn(6, TOKENS, 8), torch.randint(VALUES, (6, TOKENS, DIGITS))
    assert made.base is not None
    plain = made.base(hidden, None, 1)
    assert torch.equal(made(hidden, None, 1).given(code).logits, plain.logits)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    dist, noise = made(hidden, None, 1), Noise.range(0, 6)
    drawn = dist.sample(noise)
    uniform = noise.uniform(Stream.CODES, TOKENS, DIGITS)
    assert torch.equal(dist.given(drawn).inverse(uniform), drawn)
    assert not torch.allclose(dist.given(drawn).logits, made.base(hidden, None, 1).logits)
