"""Methods on graphs: which are admitted, and that nodes stay a set."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.counts.head import CountDistribution
from graphs.generators.contraction.refiner import ContractionRefiner
from graphs.generators.contraction.split.distribution import SplitDistribution
from graphs.model import load
from refine_core.errors import InputError
from refine_core.methods.autoguidance import Autoguidance
from refine_core.noise import Noise
from tests.graphs.tiny import Relabelled, graphs, model, names, refiner

ON = {"autoguidance": {"weight": [1.0], "depth": 1}}


def guided(**options: object) -> ContractionRefiner:
    made = refiner(methods=ON, **options)  # type: ignore[arg-type]
    for parameter in made.own_methods[0].parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def weaker(made: ContractionRefiner) -> ContractionRefiner:
    (own,) = made.own_methods
    assert isinstance(own, Autoguidance)
    found = own.weaker(made)
    assert isinstance(found, ContractionRefiner)
    return found


@pytest.mark.parametrize("edge_tokens", ["all", "none"])
def test_samples_follow_the_mixed_logits(edge_tokens: str) -> None:
    made, noise = guided(edge_tokens=edge_tokens), names(16, seed=5)
    trace = made.sample_trace(noise)
    strong = made.distributions(trace.states[:-1])
    weak = weaker(made).distributions(trace.states[:-1])
    plain = refiner(edge_tokens=edge_tokens).sample_trace(noise)
    assert any(
        a.shape != b.shape or not torch.equal(a, b)
        for a, b in zip(trace.codes, plain.codes, strict=False)
    )
    for k, (a, b, code) in enumerate(zip(strong, weak, trace.codes, strict=True)):
        if k:
            assert isinstance(a, SplitDistribution) and isinstance(b, SplitDistribution)
            mixed = a.guided(b, 1.0).sample(noise.fork(k))
        else:
            assert isinstance(a, CountDistribution) and isinstance(b, CountDistribution)
            mixed = a.guided(b, 1.0).sample(noise.fork(k))
        assert torch.equal(mixed, code)


def test_mixed_probabilities_sum_to_one() -> None:
    made, count = guided(), 20_000
    batch = graphs(20, 5)
    batch = batch[batch.sizes == 5][:1]
    trace = made.tokenizer.trace(made.tokenizer.features(batch, names(1)))
    state, many = trace.states[2], names(count)
    with torch.no_grad():
        a, b = (r.distributions([trace.states[0], state])[1] for r in (made, weaker(made)))
        assert isinstance(a, SplitDistribution) and isinstance(b, SplitDistribution)
        one = a.guided(b, 1.0)
        hidden = tuple((w, head, h.expand(count, *h.shape[1:])) for w, head, h in one.hidden)
        drawn = replace(one, state=state.repeated(count, many), hidden=hidden).sample(many)
        codes, times = drawn.unique(dim=0, return_counts=True)
        for code, share in zip(codes, times / count, strict=True):
            assert abs(float(one.log_prob(code[None]).exp() - share)) < 0.015
        assert sum(float(one.log_prob(code[None]).exp()) for code in codes) > 0.95


def test_mixed_probabilities_do_not_depend_on_the_order_of_nodes() -> None:
    made, batch, noise = guided(), graphs(30, 9), names(30)
    order = torch.rand(30, 9).argsort(1)

    def log_prob(x: object, names: Noise) -> torch.Tensor:
        trace = made.tokenizer.trace(made.tokenizer.features(x, names))  # type: ignore[arg-type]
        states = trace.states[:-1]
        pairs = zip(made.distributions(states), weaker(made).distributions(states), strict=True)
        mixed = [a.guided(b, 1.0) for a, b in pairs]
        return torch.stack([d.log_prob(c) for d, c in zip(mixed, trace.codes, strict=True)]).sum(0)

    with torch.no_grad():
        plain, moved = (
            log_prob(batch, noise),
            log_prob(batch.permute(order), Relabelled(noise, order)),
        )
    assert torch.allclose(plain, moved, atol=1e-3)


def test_training_beside_leaves_the_likelihood_alone() -> None:
    made, plain, batch, noise = guided().train(), refiner().train(), graphs(30, 6), names(30)
    a, b = made((batch,), noise), plain((batch,), noise)
    assert torch.equal(a["bits"], b["bits"]) and a["weak"] > 0
    assert torch.allclose(a["loss"], b["loss"] + a["weak"])
    weak = weaker(made)((batch,), noise)
    assert torch.allclose(a["weak"], weak["loss"])
    assert torch.equal(
        made.code_log_prob(batch, noise=noise), plain.code_log_prob(batch, noise=noise)
    )
    a["loss"].backward()
    assert all(p.grad is not None for p in made.own_methods[0].parameters())


@pytest.mark.parametrize("name", ["min_snr", "self_conditioning", "stochastic", "spatial_window"])
def test_methods_of_grids_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}.* works on grids|needs a head of independent"):
        refiner(methods=[name])


def test_a_models_methods_of_sampling(tmp_path: Path) -> None:
    plain = model(ContractionConfig(dim=16, depth=2, heads=2))
    small = model(ContractionConfig(dim=16, depth=1, heads=2))
    small.save(tmp_path / "small.safetensors", half=False)
    name = str(tmp_path / "small.safetensors")
    away = plain.sample(6, methods={"autoguidance": {"weight": [2.0], "weak": name}})
    assert len(away) == 6
    small_last = plain.sample(6, methods={"collaborative": {"small": name, "calls": 0}})
    expected = load(name).sample(6)
    assert torch.equal(small_last.edges, expected.edges)
    with pytest.raises(InputError, match="acts in training"):
        plain.sample(6, methods={"min_snr": {}})
