"""Weights of scales by their signal-to-noise ratio."""

import torch
from torch import Tensor

from refine_core.methods.min_snr import MinSNR
from refine_core.noise import Noise
from tests.refine_core.tiny import DIM, refiner, with_methods

X = torch.randn(8, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(8) % 3
Own = MinSNR[Tensor, Tensor]


def test_a_gamma_that_no_scale_reaches_changes_nothing() -> None:
    plain, model = refiner().train(), with_methods(refiner().train(), Own(1e9))
    for step in range(2):
        a, b = (each((X, LABELS), Noise.range(step, 8)) for each in (plain, model))
        assert all(torch.equal(a[name], b[name]) for name in a)
        model.after_step()


def test_weights_are_gamma_over_snr() -> None:
    own = Own(0.01)
    model = with_methods(refiner(), own).train()
    before = model((X, LABELS), Noise.range(0, 8))["loss"]
    assert torch.equal(before, refiner()((X, LABELS), Noise.range(0, 8))["loss"])
    model.after_step()
    states = model.tokenizer.trace(X).states[:-1]
    snr = torch.stack([s.square().sum() / (X - s).square().sum() for s in states])
    assert torch.allclose(own.scale_weights(), (0.01 / snr).clamp(max=1), atol=1e-5)
    assert own.scale_weights()[0] == 1 and own.scale_weights().min() < 1
    nats = -model.eval().code_log_prob(X, LABELS).sum(0)
    weight, tokens = own.scale_weights(), torch.tensor([1, 4, 25])
    expected = (weight * nats).sum() / (weight * tokens * 8).sum()
    assert torch.allclose(model((X, LABELS), Noise.range(0, 8))["loss"], expected, atol=1e-6)
    assert own.count == 8, "evaluation measures nothing"


def test_means_are_over_all_samples_in_whatever_parts() -> None:
    whole, parts = Own(), Own()
    for own, size in ((whole, 8), (parts, 2)):
        model = with_methods(refiner(), own).train()
        for step in range(2):
            for index in torch.arange(8).split(size):
                model((X[index] * (1 + step), LABELS[index]), Noise(step, index))
            model.after_step()
    assert torch.allclose(whole.powers, parts.powers) and whole.count == parts.count == 16


def test_what_was_measured_is_saved() -> None:
    model = with_methods(refiner(), Own()).train()
    model((X, LABELS), Noise.range(0, 8))
    model.after_step()
    other = Own()
    with_methods(refiner(), other).load_state_dict(model.state_dict())
    assert other.count == 8 and other.powers.abs().sum() > 0
