"""Calibration recovers what was changed, and keeps what it must."""

import pytest
import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.heads.categorical import CodeDistribution
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.sampling.settings import Sampling
from refine_core.tuning.calibration import RANGE, HeldOut, entropy_matched
from tests.refine_core.tiny import real_refiner, refiner

COUNT = 600
LABELS = torch.arange(COUNT) % 3


def sharper(model: Refiner[Tensor, Tensor, Tensor, Tensor], factors: list[float]) -> None:
    """Multiply the logits of each scale, as an overconfident model does."""
    for layer, factor in zip(model.head.maps, factors, strict=True):  # type: ignore[attr-defined]
        layer.weight.data *= factor
        layer.bias.data *= factor


class Sampled(HeldOut):
    """Codes that a model has sampled itself, as held-out data for which it is right."""

    @classmethod
    def by(cls, model: Refiner[Tensor, Tensor, Tensor, Tensor], other: object = None) -> HeldOut:
        trace = model.sample_trace(Noise.range(1, COUNT), LABELS)
        given = model if other is None else other
        assert isinstance(given, Refiner)
        dists = given.distributions(trace.states[:-1], LABELS)
        return HeldOut([[d] for d in dists], [[c] for c in trace.codes], COUNT)


def test_a_model_is_calibrated_on_its_own_samples() -> None:
    found = Sampled.by(refiner()).temperatures()
    assert found[1:] == pytest.approx([1, 1], abs=0.12)
    assert found[0] == pytest.approx(1, abs=0.5), "one token has little to say"


def test_overconfidence_is_taken_back() -> None:
    right, wrong = refiner(), refiner()
    sharper(wrong, [1.5, 2.0, 3.0])
    held_out = Sampled.by(right, wrong)
    found = held_out.temperatures()
    assert found[1:] == pytest.approx([2, 3], rel=0.12)
    for k, temperature in enumerate(found):
        least = held_out.nats(k, temperature)
        assert least <= held_out.nats(k) + 1e-9
        assert all(least <= held_out.nats(k, temperature * by) + 1e-4 for by in (0.9, 1.1))


def test_entropy_equals_the_surprise_of_data() -> None:
    right, wrong = refiner(), refiner()
    sharper(wrong, [1.5, 2.0, 3.0])
    held_out = Sampled.by(right, wrong)
    noise = Noise.range(2, COUNT)
    found = entropy_matched(wrong, held_out, noise, LABELS)
    trace = wrong.sample_trace(noise, LABELS, sampling=[Sampling(temperature=t) for t in found])
    best = held_out.temperatures()
    for k, dist in enumerate(wrong.distributions(trace.states[:-1], LABELS)):
        assert isinstance(dist, CodeDistribution)
        sampled = float(dist.sharpened(found[k]).entropy().sum(1).mean().detach())
        assert sampled == pytest.approx(held_out.nats(k, best[k]), rel=2e-3)
    assert found[1:] == pytest.approx([2, 3], rel=0.2)


def test_limits_of_temperature() -> None:
    model = refiner()
    held_out = Sampled.by(model)
    nn.init.zeros_(model.head.maps[2].weight)  # type: ignore[attr-defined]
    model.head.maps[2].bias.data = torch.tensor([50.0] + [0.0] * 7)  # type: ignore[attr-defined]
    assert entropy_matched(model, held_out, Noise.range(2, 20), LABELS[:20])[2] == RANGE[1]


def test_top_k_covers() -> None:
    held_out = Sampled.by(refiner())
    every = held_out.top_k(1.0)
    for coverage in (0.5, 0.9, 0.99):
        for k, least in enumerate(held_out.top_k(coverage)):
            (dist,), (code,) = held_out.distributions[k], held_out.codes[k]
            assert isinstance(dist, CodeDistribution)
            for size, covers in ((least, True), (least - 1, False)):
                kept = dist.sharpened(top_k=size).logits.isfinite() if size else None
                share = (
                    0.0 if kept is None else float(kept.gather(-1, code[..., None]).float().mean())
                )
                assert (share >= coverage) == covers
            assert least <= every[k] <= 8


def test_what_cannot_be_calibrated_is_refused() -> None:
    model = real_refiner()
    x = torch.randn(4, 4, 5, 5)
    held_out = HeldOut.of(model, [(x, None)])
    assert len(held_out.temperatures()) == 3
    with pytest.raises(InputError, match="expected independent digits"):
        held_out.top_k(0.9)
    with pytest.raises(InputError, match="coverage is 2, expected a share above 0"):
        Sampled.by(refiner()).top_k(2)
    with pytest.raises(InputError, match="no data to calibrate on"):
        HeldOut.of(model, [])


def test_held_out_data_have_their_likelihood() -> None:
    model, x = refiner(), torch.randn(10, 4, 5, 5)
    held_out = HeldOut.of(model, [(x[:6], LABELS[:6]), (x[6:], LABELS[6:10])])
    nats = -model.code_log_prob(x, LABELS[:10]).mean(0)
    assert [held_out.nats(k) for k in range(3)] == pytest.approx(nats.tolist(), rel=1e-5)
