"""Samples leave when they are settled, and keep what they have."""

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.heads.depth import Across
from refine_core.methods.early_exit import LEFT, EarlyExit
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.sampling.intermediates import Intermediates
from refine_core.sampling.settings import Sampling
from refine_core.tokenizer import Trace
from refine_core.tokens import History
from tests.refine_core.tiny import TinyEmbed, joint_refiner, real_refiner, refiner, tokenizer

COUNT = 24
LABELS = torch.arange(COUNT) % 3
NOISE = Noise.range(0, COUNT)
Own = EarlyExit[Tensor, Tensor]


def left(codes: list[Tensor]) -> Tensor:
    """How many calls each sample had, (b,)."""
    return torch.stack([(code != LEFT).all(2).all(1) for code in codes]).sum(0)


def opened() -> Refiner[Tensor, Tensor, Tensor, Tensor]:
    model, tokens = refiner(), tokenizer(loop="open")
    return Refiner(tokens, TinyEmbed(tokens, 8, 2), model.transformer, model.head).eval()


def test_without_limits_nothing_changes() -> None:
    model = refiner()
    a, b = (model.sample(NOISE, LABELS, methods=m) for m in ([], [Own(0, 0)]))
    assert torch.equal(a, b)


@pytest.mark.parametrize("model", [refiner(), opened()])
def test_limits_that_none_reaches_change_nothing_but_the_loop(
    model: Refiner[Tensor, Tensor, Tensor, Tensor],
) -> None:
    a, b = (model.sample_trace(NOISE, LABELS, methods=m) for m in ([], [Own(1e-9, 1e-9)]))
    assert all(torch.equal(x, y) for x, y in zip(a.codes, b.codes, strict=True))
    assert all(torch.equal(x, y) for x, y in zip(a.states, b.states, strict=True))


@pytest.mark.parametrize("guidance", [(0.0,), (0.0, 1.5, 0.0), (1.5,)])
@pytest.mark.parametrize("history", ["full", "markov"])
@pytest.mark.parametrize("cached", [True, False])
def test_some_leave_and_all_keep_what_they_had(
    cached: bool, history: History, guidance: tuple[float, ...]
) -> None:
    model = refiner(history=history)
    sampling = Sampling.per_scale(3, guidance=guidance)
    whole = model.sample_trace(NOISE, LABELS, sampling=sampling)
    own = Own(0.0, _dividing(model, sampling))
    found = model.sample_trace(NOISE, LABELS, sampling=sampling, methods=[own], cached=cached)
    calls = left(found.codes)
    assert 2 in calls and 3 in calls
    for i, count in enumerate(calls.tolist()):
        for k in range(3):
            code = whole.codes[k][i] if k < count else torch.full_like(whole.codes[k][i], LEFT)
            assert torch.equal(found.codes[k][i], code)
        kept = whole.states[count][i]
        assert torch.allclose(found.states[-1][i], kept, atol=1e-5)


def _dividing(
    model: Refiner[Tensor, Tensor, Tensor, Tensor], sampling: tuple[Sampling, ...]
) -> float:
    """A limit of change that some of the samples are below at the second size."""
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        trace = model.sample_trace(NOISE, LABELS, sampling=sampling, methods=[Own(0.0, middle)])
        share = float((left(trace.codes) == 2).float().mean())
        if 0.2 < share < 0.8:
            return middle
        low, high = (middle, high) if share <= 0.2 else (low, middle)
    raise AssertionError("no limit divides the samples")


def test_a_sample_does_not_depend_on_the_others() -> None:
    model = refiner()
    own = Own(0.0, _dividing(model, (Sampling(),)))
    whole = model.sample(NOISE, LABELS, methods=[own])
    for part in (slice(0, 1), slice(5, 12), slice(12, COUNT)):
        index = torch.arange(COUNT)[part]
        alone = model.sample(Noise(0, index), LABELS[part], methods=[own])
        assert torch.allclose(alone, whole[part], atol=1e-5)


def test_certain_codes_leave() -> None:
    model = refiner()
    for parameter in model.head.parameters():  # type: ignore[attr-defined]
        nn.init.normal_(parameter, std=100.0)
    trace = model.sample_trace(NOISE, LABELS, methods=[Own(0.5, 0.0, sizes=2)])
    assert (left(trace.codes) == 2).any() and left(trace.codes).min() == 2
    every = model.sample_trace(NOISE, LABELS, methods=[Own(99.0, 0.0)])
    assert len(every.codes) == 1
    assert model.sample_trace(NOISE, LABELS, methods=[Own(0.0, 0.001)]).codes[-1].min() > LEFT


def test_sizes_are_left_as_a_whole() -> None:
    model = refiner("interleaved")
    trace = model.sample_trace(NOISE, LABELS, methods=[Own(99.0, 0.0)])
    assert len(trace.codes) == 1
    assert len(model.sample_trace(NOISE, LABELS, methods=[Own(99.0, 0.0, sizes=2)]).codes) == 3


def test_open_loops_grow_to_the_same_size() -> None:
    model = opened()
    assert len(model.sample_trace(NOISE, LABELS, methods=[Own(0.0, 99.0)]).codes) == 1
    own = Own(0.0, _dividing(model, (Sampling(),)))
    trace = model.sample_trace(NOISE, LABELS, methods=[own])
    early = left(trace.codes) == 2
    stopped = model.sample(NOISE, LABELS, scales=2)
    made = model.tokenizer.finish(trace.states[-1])
    assert torch.allclose(made[early], stopped[early], atol=1e-4) and bool(early.any())


@pytest.mark.parametrize("kind", ["depth", "mixture"])
@pytest.mark.parametrize("across", ["digits", "tokens"])
def test_with_heads_whose_digits_know_each_other_some_leave(
    kind: Literal["depth", "mixture"], across: Across
) -> None:
    model = joint_refiner(kind, across)
    own = Own(0.0, _dividing(model, (Sampling(),)))
    whole, found = (model.sample_trace(NOISE, LABELS, methods=m) for m in ([], [own]))
    calls = left(found.codes)
    for i, count in enumerate(calls.tolist()):
        assert all(torch.equal(found.codes[k][i], whole.codes[k][i]) for k in range(count))
    alone = model.sample(Noise(0, torch.arange(5, 12)), LABELS[5:12], methods=[own])
    assert torch.allclose(alone, model.sample(NOISE, LABELS, methods=[own])[5:12], atol=1e-5)


def test_other_heads_are_refused() -> None:
    with pytest.raises(InputError, match="'early_exit' needs a head over digits of codes"):
        Own().connect(real_refiner(), nn.Module().get_submodule)


def test_those_that_have_left_are_seen_after_each_scale() -> None:
    model, steps = refiner(), Intermediates[Tensor]()
    own = Own(0.0, _dividing(model, (Sampling(),)))
    whole = model.sample(NOISE, LABELS, methods=[own], after_scale=steps)
    assert [step.data.shape for step in steps] == [whole.shape] * 3
    assert torch.equal(steps[-1].data, whole)


def test_it_counts_scales_and_stands_alone_in_the_loop() -> None:
    own = Own(0.5, 0.0)
    with pytest.raises(InputError, match="Found 9 scales, expected 0 to 3"):
        refiner().sample_trace(NOISE, LABELS, methods=[own], scales=9)
    with pytest.raises(InputError, match="another method that changes the loop over scales"):
        own.unroll(lambda *_: Trace([], []), refiner())
