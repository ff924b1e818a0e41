"""Autoguidance: the formula, what training and likelihood keep, and its size."""

from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.heads.categorical import CodeDistribution
from refine_core.heads.depth import SequentialDistribution
from refine_core.methods import autoguidance
from refine_core.methods.autoguidance import Autoguidance
from refine_core.methods.base import TrainingPass
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.tokens import History
from tests.refine_core.tiny import DIM, joint_refiner, refiner, with_methods

X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, -1])
Tiny = Refiner[Tensor, Tensor, Tensor, Tensor]
Own = Autoguidance[Tensor, Tensor, Tensor, Tensor]


def no_model(name: str) -> nn.Module:
    raise AssertionError(f"nothing asks for {name}")


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("history", ["full", "markov"])
@pytest.mark.parametrize("weights", [(1.5,), (0.0, 2.0, 0.0), (0.0, 0.0, 0.5), (0.5, 0.0, 1.0)])
def test_logits_move_away_from_the_weaker(
    weights: tuple[float, ...], history: History, cached: bool
) -> None:
    own = Own(weights, depth=1)
    model = with_methods(refiner(history=history), own)
    noise = Noise.range(0, 6)
    trace = model.sample_trace(noise, LABELS, cached=cached)
    strong = model.distributions(trace.states[:-1], LABELS)
    weak = own.weaker(model).distributions(trace.states[:-1], LABELS)
    assert len(own.weaker(model).transformer.blocks) == 1 < len(model.transformer.blocks)
    each = weights * (3 // len(weights))
    for k, (a, b, w) in enumerate(zip(strong, weak, each, strict=True)):
        assert isinstance(a, CodeDistribution) and isinstance(b, CodeDistribution)
        assert not torch.allclose(a.logits, b.logits, atol=1e-3)
        mixed = CodeDistribution((1 + w) * a.logits - w * b.logits)
        assert torch.equal(mixed.sample(noise.fork(k)), trace.codes[k])


def test_no_weight_changes_nothing_and_calls_nothing() -> None:
    plain = refiner()
    own = Own((0.0,))
    model = with_methods(plain, own)
    own.parts = None  # would be missed
    a, b = (each.sample(Noise.range(0, 6), LABELS) for each in (plain, model))
    assert torch.equal(a, b)


def test_training_beside_leaves_the_refiner_and_its_likelihood_alone() -> None:
    plain = refiner(corruption=0.3, dropout=0.5)
    model = with_methods(plain, Own())
    assert torch.equal(model.code_log_prob(X, LABELS), plain.code_log_prob(X, LABELS))
    noise = Noise.range(0, 6)
    plain.train()((X, LABELS), noise)["loss"].backward()
    names = [name for name, p in plain.named_parameters() if p.requires_grad]
    expected = {name: plain.get_parameter(name).grad for name in names}
    plain.zero_grad()
    losses = model.train()((X, LABELS), noise)
    losses["loss"].backward()
    for name in names:
        a, b = model.get_parameter(name).grad, expected[name]
        assert a is not None and b is not None and torch.equal(a, b)
    weak = [p for name, p in model.named_parameters() if name.startswith("methods.0.parts")]
    assert weak and all(p.grad is not None and p.grad.abs().sum() > 0 for p in weak)
    assert losses["weak"] > 0 and not torch.equal(losses["weak"], losses["loss"])


def test_less_training_is_a_share_of_the_steps() -> None:
    model = with_methods(refiner(), Own(share=0.3)).train()
    trained = [bool(model((X, LABELS), Noise.range(s, 6))["weak"] > 0) for s in range(40)]
    assert 0.1 < sum(trained) / 40 < 0.5, trained


def test_another_model_by_name() -> None:
    model, weak = refiner(), refiner()
    weak.transformer.blocks = weak.transformer.blocks[:1]
    given = Own((1.0,), weak="small")
    given.connect(model, {"small": weak}.__getitem__)
    beside = Own((1.0,))
    whole = with_methods(model, beside)
    assert beside.parts is not None
    a = model.sample(Noise.range(0, 6), LABELS, methods=[given])
    b = whole.sample(Noise.range(0, 6), LABELS)
    assert torch.equal(a, b), "a copy of fewer blocks is the same model"
    with pytest.raises(InputError, match="'autoguidance' combines models of one tokeniser"):
        given.connect(model, {"small": refiner("product")}.__getitem__)


def test_weights_of_sampling_take_the_place_of_those_of_training() -> None:
    model = with_methods(refiner(), Own((1.0,)))
    stronger = Own((3.0,))
    stronger.connect(model, no_model)
    found = model.sample(Noise.range(0, 6), LABELS, methods=[stronger])
    expected = with_methods(refiner(), Own((3.0,))).sample(Noise.range(0, 6), LABELS)
    assert torch.equal(found, expected)
    with pytest.raises(InputError, match="found no weaker model: name one as `weak`"):
        Own().connect(refiner(), no_model)
    with pytest.raises(InputError, match="weight has 2 values for 3 scales"):
        Own((1.0, 2.0)).connect(model, no_model)


def test_a_method_is_one_short_file() -> None:
    assert autoguidance.__file__ is not None
    assert len(Path(autoguidance.__file__).read_text(encoding="utf-8").splitlines()) < 150


def test_a_context_that_is_learnt_hears_nothing_of_the_weaker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a model encodes the context itself, as of weather, only its own loss trains that."""
    own, seen = Own(), list[bool]()
    model = with_methods(refiner(), own).train()
    weaker = own.weaker(model)

    def watch(done: TrainingPass[Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
        assert done.context is not None
        seen.append(done.context.requires_grad)
        return {"loss": torch.zeros(())}

    monkeypatch.setattr(weaker, "losses_on", watch)
    monkeypatch.setattr(own, "weaker", lambda _: weaker)
    context = torch.zeros(6, requires_grad=True)
    own.losses(model, TrainingPass(X, context, Noise.range(0, 6), model.tokenizer.trace(X), ()))
    assert seen == [False]


def test_heads_of_digits_in_sequence_move_away_from_the_weaker_head_beside_guidance() -> None:
    own = Own((1.0,), depth=1)
    model = with_methods(joint_refiner("depth", "digits"), own)
    assert own.parts is not None
    with torch.no_grad():
        for parameter in own.parts[2].parameters():
            parameter.normal_(std=0.5)  # it has learnt something else
        state = model.tokenizer.start(6)
        strong = model.distributions([state], LABELS)[0]
        free = model.distributions([state], None)[0]
        weak = own.weaker(model).distributions([state], LABELS)[0]
        code = strong.sample(Noise.range(0, 6))
        laws = (cast(SequentialDistribution, dist) for dist in (strong, weak, free))
        a, b, c = (law.given(code).logits for law in laws)
        for guidance, expected in ((0.0, 2 * a - b), (3.0, 2 * (4 * a - 3 * c) - b)):
            found = model.caller(LABELS, 6, guided=True)(state, 0, guidance)
            logits = cast(SequentialDistribution, found).given(code).logits
            torch.testing.assert_close(logits.log_softmax(-1), expected.log_softmax(-1))
            again = found.sample(Noise.range(0, 6))  # digit by digit
            given = cast(SequentialDistribution, found).given(again)
            assert torch.equal(given.sample(Noise.range(0, 6)), again)
