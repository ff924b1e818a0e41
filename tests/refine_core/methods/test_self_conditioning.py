"""Self-conditioning: off before training, the same stepwise and teacher-forced, and trained."""

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.heads.depth import Across
from refine_core.methods.self_conditioning import SelfConditioning
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.tokens import History
from tests.refine_core.tiny import (
    DIM,
    QUANTIZERS,
    joint_refiner,
    real_refiner,
    refiner,
    with_methods,
)

X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, -1])


def told(kind: str = "vq", history: History = "full") -> Refiner[Tensor, Tensor, Tensor, Tensor]:
    own = SelfConditioning[Tensor, Tensor]()
    model = with_methods(refiner(kind, history), own)
    nn.init.normal_(own.enter.weight)
    return model


def test_nothing_changes_before_it_is_trained() -> None:
    plain = refiner(corruption=0.3)
    model = with_methods(plain, SelfConditioning())
    for seed in range(4):
        a, b = (m.train()((X, LABELS), Noise.range(seed, 6)) for m in (plain, model))
        assert torch.allclose(a["loss"], b["loss"], atol=1e-6)
    for each in (plain, model):
        each.eval()
    same = [each.sample_trace(Noise.range(0, 6), LABELS).codes for each in (plain, model)]
    assert all(torch.equal(a, b) for a, b in zip(*same, strict=True))


@pytest.mark.parametrize("history", ["full", "markov"])
@pytest.mark.parametrize("kind", list(QUANTIZERS))
def test_stepwise_equals_teacher_forced(kind: str, history: History) -> None:
    model, noise = told(kind, history), Noise.range(0, 6)
    trace = model.sample_trace(noise, LABELS)
    plain = model.sample_trace(noise, LABELS, cached=False)
    forced = model.distributions(trace.states[:-1], LABELS)
    redrawn = [d.sample(noise.fork(k)) for k, d in enumerate(forced)]
    for a, b, c in zip(trace.codes, plain.codes, redrawn, strict=True):
        assert torch.equal(a, b) and torch.equal(a, c)
    other = refiner(kind, history).distributions(trace.states[:-1], LABELS)
    assert not torch.allclose(
        forced[2].log_prob(trace.codes[2]), other[2].log_prob(trace.codes[2])
    )


def test_the_estimate_is_the_expected_state() -> None:
    """With a certain distribution the estimate is the state that follows."""
    model = told()
    tokens = model.tokenizer
    trace = tokens.trace(X)
    dist = model.distributions(trace.states[:-1], LABELS)[1].sharpened(temperature=0)
    certain = tokens.add(
        trace.states[1], tokens.lookup(dist.sample(Noise.range(0, 6)), 1).value, 1
    )
    (note,) = model.notes(dist, trace.states[1], 1)
    assert note is not None
    assert torch.allclose(note, certain.flatten(2).transpose(1, 2), atol=1e-5)
    assert model.notes(dist, trace.states[2], 2) == [None]


def test_the_map_is_trained() -> None:
    model = told().train()
    (own,) = model.own_methods
    sizes = []
    for seed in range(8):
        model.zero_grad()
        model((X, LABELS), Noise.range(seed, 6))["loss"].backward()
        weight = own.get_parameter("enter.weight")
        assert weight.grad is not None
        sizes.append(float(weight.grad.abs().sum()))
    assert 0 < sum(size > 0 for size in sizes) < 8


@pytest.mark.parametrize("kind", ["depth", "mixture"])
@pytest.mark.parametrize("across", ["digits", "tokens"])
def test_heads_whose_digits_know_each_other_tell_as_well(
    kind: Literal["depth", "mixture"], across: Across
) -> None:
    own = SelfConditioning[Tensor, Tensor]()
    model, noise = with_methods(joint_refiner(kind, across), own), Noise.range(0, 6)
    nn.init.normal_(own.enter.weight)
    trace = model.sample_trace(noise, LABELS)
    forced = model.distributions(trace.states[:-1], LABELS)
    for k, (dist, code) in enumerate(zip(forced, trace.codes, strict=True)):
        assert torch.equal(dist.sample(noise.fork(k)), code)
    plain = joint_refiner(kind, across).distributions(trace.states[:-1], LABELS)
    a, b = (each[2].log_prob(trace.codes[2]) for each in (forced, plain))
    assert not torch.allclose(a, b)
    model.train()((X, LABELS), Noise.range(0, 6))["loss"].backward()


def test_other_heads_are_refused() -> None:
    with pytest.raises(InputError, match="'self_conditioning' needs a head over digits of codes"):
        with_methods(real_refiner(), SelfConditioning())
