"""Hooks of methods: called where they say, and nothing changes without them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from refine_core.heads.categorical import CodeDistribution
from refine_core.heads.distribution import Distribution
from refine_core.methods.base import Encode, Method, SamplingRun, TrainingPass, Weight
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.sampling.caller import Call, Wrapped
from refine_core.sampling.settings import Sampling
from refine_core.tokens import History, Tokens
from tests.refine_core.tiny import DIM, refiner, with_methods

X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, -1])
Tiny = Refiner[Tensor, Tensor, Tensor, Tensor]
TinyMethod = Method[Tensor, Tensor, Tensor, Tensor]


class Nothing(TinyMethod):
    """No hook but those of the base."""

    name = "nothing"


class Echo(TinyMethod):
    """Tells a scale the mean logits of the one before."""

    name = "echo"

    def __init__(self) -> None:
        super().__init__()
        self.told: list[bool] = []
        self.weight = nn.Parameter(torch.linspace(-3, 3, 8))

    def tokens(self, tokens: Tokens, state: Tensor, k: int, note: Tensor | None) -> Tokens:
        self.told.append(note is not None)
        if note is None:
            return tokens
        return replace(tokens, value=tokens.value + note[:, None, None] * self.weight)

    def note(
        self,
        refiner: Tiny,
        dist: Distribution,
        state: Tensor,
        k: int,
    ) -> Tensor | None:
        assert isinstance(dist, CodeDistribution) and not torch.is_grad_enabled()
        return dist.logits.softmax(-1).amax(-1).mean((1, 2))


def test_a_method_without_hooks_changes_nothing() -> None:
    plain = refiner(corruption=0.3, dropout=0.5).train()
    model = with_methods(plain, Nothing())
    noise = Noise.range(0, 6)
    a, b = plain((X, LABELS), noise), model((X, LABELS), noise)
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    assert model.state_dict().keys() == plain.state_dict().keys()
    same = model.eval().sample(noise, LABELS), plain.eval().sample(noise, LABELS)
    assert torch.equal(*same)


def test_hooks_of_training() -> None:
    class Everything(TinyMethod):
        name = "everything"

        def encode(
            self, encode: Encode[Tensor, Tensor], refiner: Tiny, noise: Noise
        ) -> Encode[Tensor, Tensor]:
            return lambda features, corrupt: encode(-features, corrupt)

        def weights(
            self, weights: list[Weight], refiner: Tiny, done: TrainingPass[Tensor, Tensor, Tensor]
        ) -> list[Weight]:
            assert torch.equal(done.features, X) and done.context is LABELS
            return [0.0, torch.tensor(2.0), torch.full((6, 1), 3.0)]

        def losses(
            self, refiner: Tiny, done: TrainingPass[Tensor, Tensor, Tensor]
        ) -> dict[str, Tensor]:
            return {"pull": torch.tensor(0.25)}

    model = with_methods(refiner(), Everything())
    found = model((X, LABELS), Noise.range(0, 6))
    nats = -model.code_log_prob(-X, LABELS).sum(0)
    expected = (2 * nats[1] + 3 * nats[2]) / (6 * (2 * 4 + 3 * 25)) + 0.25
    assert torch.allclose(found["loss"], expected) and found["pull"] == 0.25
    assert found["count"] == 6 * (2 * 4 + 3 * 25)
    assert torch.allclose(found["bits"], nats.sum() / 6 / torch.log(torch.tensor(2.0)))


@pytest.mark.parametrize("history", ["full", "markov"])
@pytest.mark.parametrize("guidance", [0.0, 1.5])
def test_notes_are_the_same_stepwise_and_teacher_forced(history: History, guidance: float) -> None:
    model = with_methods(refiner(history=history), Echo())
    noise = Noise.range(0, 6)
    sampling = [Sampling(guidance=guidance)]
    trace = model.sample_trace(noise, LABELS, sampling=sampling)
    plain = model.sample_trace(noise, LABELS, sampling=sampling, cached=False)
    assert all(torch.equal(a, b) for a, b in zip(trace.codes, plain.codes, strict=True))
    if not guidance:
        forced = model.distributions(trace.states[:-1], LABELS)
        redrawn = [d.sample(noise.fork(k)) for k, d in enumerate(forced)]
        assert all(torch.equal(a, b) for a, b in zip(trace.codes, redrawn, strict=True))
        untold = model._at_once(trace.states[:-1], LABELS)
        assert not torch.allclose(
            forced[2].log_prob(trace.codes[2]), untold[2].log_prob(trace.codes[2])
        )


def test_notes_are_told_in_half_of_the_steps() -> None:
    echo = Echo()
    model = with_methods(refiner(), echo).train()
    shares = []
    for seed in range(24):
        echo.told.clear()
        loss = model((X, LABELS), Noise.range(seed, 6))["loss"]
        shares.append(any(echo.told))
        halves = [
            model((X[i : i + 3], LABELS[i : i + 3]), Noise(seed, torch.arange(6)[i : i + 3]))[
                "loss"
            ]
            for i in (0, 3)
        ]
        assert torch.allclose(sum(halves, torch.zeros(())) / 2, loss, atol=1e-5)
    assert 0.25 < sum(shares) / 24 < 0.75
    loss.backward()


def test_hooks_of_sampling_wrap_in_order() -> None:
    asked: list[str] = []

    class Asking(TinyMethod):
        def __init__(self, title: str) -> None:
            super().__init__()
            self.title = title

        def call(
            self, call: Call[Tensor], refiner: Tiny, run: SamplingRun[Tensor]
        ) -> Call[Tensor]:
            assert run.count == 6 and run.context is LABELS
            title = self.title

            class Asked(Wrapped[Tensor]):
                def __call__(self, state: Tensor, k: int, guidance: float = 0.0) -> Distribution:
                    asked.append(title)
                    return self.inner(state, k, guidance)

            return Asked(call)

    plain = refiner()
    model = with_methods(plain, Asking("own"))
    sampled = model.sample(Noise.range(0, 6), LABELS, methods=[Asking("given")])
    assert asked == ["given", "own"] * 3
    assert torch.equal(sampled, plain.sample(Noise.range(0, 6), LABELS))
    asked.clear()
    model.code_log_prob(X, LABELS)
    assert not asked
