"""What every method has to keep, whatever it does; a new method is added to `CASES`."""

import pytest
import torch
from torch import Tensor, nn

from refine_core.heads.categorical import CodeDistribution
from refine_core.methods.base import Method
from refine_core.methods.registry import as_methods, build_methods, known_methods
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.sampling.caller import Caller
from refine_core.sampling.settings import Sampling
from tests.refine_core.tiny import DIM, refiner, with_methods

CASES: dict[str, dict[str, object]] = {
    "autoguidance": {"weight": [0.5, 0.0, 1.5]},
    "collaborative": {"small": "small", "calls": 1},
    "consistency": {},
    "early_exit": {"change": 0.5},
    "min_snr": {"gamma": 0.01},
    "self_conditioning": {},
    "spatial_window": {"radius": 1},
    "stochastic": {"temperature": 0.5, "noise": 0.5},
}
"""Fields that make each method change what the tiny refiner does."""
X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, -1])
TinyMethod = Method[Tensor, Tensor, Tensor, Tensor]
Tiny = Refiner[Tensor, Tensor, Tensor, Tensor]


def small(name: str) -> nn.Module:
    model = refiner()
    model.transformer.blocks = model.transformer.blocks[:1]
    return model


def built(name: str) -> TinyMethod:
    made: list[TinyMethod] = build_methods(as_methods({name: CASES[name]}))
    return made[0]


def with_method(name: str) -> Tiny:
    """A refiner with the method, whose own parameters are random."""
    torch.manual_seed(3)
    model = with_methods(refiner(corruption=0.3, dropout=0.3), built(name))
    for method in model.own_methods:
        method.connect(model, small)
        for own in method.parameters():
            nn.init.normal_(own, std=0.3)
    return model


def test_every_method_of_the_core_is_held_to_the_laws() -> None:
    core = {n for n, c in known_methods().items() if c.__module__.startswith("refine_core")}
    assert core == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_stepwise_equals_teacher_forced(name: str) -> None:
    model = with_method(name)
    states = model.tokenizer.trace(X).states[:-1]
    forced = model.distributions(states, LABELS)
    for cached in (True, False):
        call = Caller(model, [LABELS], 6, cached=cached)
        for k, (state, dist) in enumerate(zip(states, forced, strict=True)):
            found = call(state, k)
            assert isinstance(found, CodeDistribution) and isinstance(dist, CodeDistribution)
            assert torch.allclose(found.logits, dist.logits, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_what_is_sampled_from_is_normalised_and_the_same_with_a_cache(name: str) -> None:
    model = with_method(name)
    noise, sampling = Noise.range(0, 6), [Sampling(guidance=0.5)]
    for methods in ([], [built(name)] if known_methods()[name].in_sampling else []):
        for method in methods:
            method.connect(model, small)
        a, b = (
            model.sample_trace(noise, LABELS, sampling=sampling, cached=c, methods=methods).codes
            for c in (True, False)
        )
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    dist = model.caller(LABELS, 6, guided=True)(model.tokenizer.start(6), 0, 0.5)
    every = [dist.log_prob(torch.full((6, 1, 1), code)) for code in range(8)]
    assert torch.allclose(torch.stack(every).logsumexp(0), torch.zeros(6), atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_samples_do_not_depend_on_the_batch(name: str) -> None:
    model, labels = with_method(name), torch.arange(20) % 3
    whole = model.sample(Noise.range(3, 20), labels)
    for part in (slice(0, 1), slice(5, 12)):
        alone = model.sample(Noise(3, torch.arange(20)[part]), labels[part])
        assert torch.allclose(alone, whole[part], atol=1e-5)


@pytest.mark.parametrize("name", [n for n, c in known_methods().items() if c.in_sampling])
def test_methods_of_sampling_leave_the_likelihood_alone(name: str) -> None:
    model = with_method(name)
    expected = refiner().code_log_prob(X, LABELS)
    assert torch.equal(model.code_log_prob(X, LABELS), expected)


@pytest.mark.parametrize("name", CASES)
def test_training_is_the_same_in_parts_and_reaches_every_parameter(name: str) -> None:
    model = with_method(name).train()
    sizes: dict[str, float] = {}
    for seed in range(6):
        noise = Noise.range(seed, 6)
        model.zero_grad()
        losses = model((X, LABELS), noise)
        losses["loss"].backward()
        for key, p in model.named_parameters():
            if p.requires_grad:
                assert p.grad is not None, key
                sizes[key] = sizes.get(key, 0.0) + float(p.grad.abs().sum())
        whole, terms = losses["loss"].detach(), losses["count"]
        halves = [
            model((X[i : i + 3], LABELS[i : i + 3]), Noise(seed, noise.index[i : i + 3]))
            for i in (0, 3)
        ]
        joined = sum((h["loss"] * h["count"] for h in halves), torch.zeros(()))
        assert torch.allclose(joined.detach() / terms, whole, atol=1e-4)
    assert all(size > 0 for size in sizes.values())


@pytest.mark.parametrize("name", CASES)
def test_a_saved_refiner_is_restored(name: str) -> None:
    model = with_method(name)
    again = with_methods(refiner(), built(name))
    again.load_state_dict(model.state_dict())
    for method in again.own_methods:
        method.connect(again, small)
    a, b = (each.sample(Noise.range(0, 6), LABELS) for each in (model, again))
    assert torch.equal(a, b)
