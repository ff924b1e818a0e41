"""Subsets whose members know of each other."""

import itertools

import pytest
import torch

from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.contraction.split import coupled_bernoulli as coupled
from graphs.generators.contraction.split.half_edges import HalfEdges
from refine_core.noise import Noise
from tests.graphs.tiny import Relabelled, graphs, names, refiner


def _law() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of four elements and one of padding."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 5, generator=generator)
    pair = 2 * torch.randn(1, 5, 5, generator=generator)
    return logits, pair, torch.tensor([[True] * 4 + [False]])


def _wide(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    logits, pair, real = (x.expand(count, *x.shape[1:]) for x in _law())
    return logits, pair, real


def _subsets() -> torch.Tensor:
    every = itertools.product([False, True], repeat=4)
    return torch.tensor([[*members, False] for members in every])


def _chance(chosen: torch.Tensor) -> torch.Tensor:
    logits, pair, real = _wide(len(chosen))
    return coupled.log_prob(logits, pair, real, chosen).exp()


def test_probabilities_of_all_subsets_add_up_to_one() -> None:
    assert torch.isclose(_chance(_subsets()).sum(), torch.ones(()), atol=1e-5)


def test_samples_follow_the_probabilities() -> None:
    count = 20_000
    logits, pair, real = _wide(count)
    uniform = Noise(0, torch.arange(count)).uniform(0, 5)
    drawn, share = coupled.sample(logits, pair, real, uniform)
    assert not bool(share.any()) and not bool(drawn[:, 4].any())
    for row, chance in zip(_subsets(), _chance(_subsets()), strict=True):
        assert abs(float((drawn == row).all(1).float().mean() - chance)) < 0.012


def test_demands_are_met_and_their_share_is_an_unbiased_estimate() -> None:
    count = 20_000
    logits, pair, real = _wide(count)
    uniform = Noise(0, torch.arange(count)).uniform(0, 5)
    inside = torch.zeros(count, 5).bool()
    outside = inside.clone()
    inside[:, 2] = outside[:, 0] = True
    drawn, share = coupled.sample(logits, pair, real, uniform, inside, outside)
    assert bool((drawn[:, 2] & ~drawn[:, 0]).all())
    every = _subsets()
    exact = _chance(every)[every[:, 2] & ~every[:, 0]].sum()
    assert abs(float(share.exp().mean() - exact)) < 0.01


def _richest() -> GraphRefiner:
    return refiner(
        coupled=True, cycles=True, matching="dense", edge_tokens="splitting", smooth=True
    )


def test_half_edges_come_near_to_one_before_them() -> None:
    model, seen = _richest(), 0
    states = model.tokenizer.trace(model.tokenizer.features(graphs(40, 9), names(40))).states
    for state in states[1:-1]:
        half_edges = HalfEdges.of(state)
        among = coupled.cluster_kinds(state)
        kinds = coupled.pair_kinds(among, state, half_edges)
        moved, kinds = coupled.ordered(half_edges, kinds)
        assert torch.equal(moved.real, half_edges.real)
        both = moved.real[:, :, None] & moved.real[:, None]
        assert torch.equal(kinds[both], coupled.pair_kinds(among, state, moved)[both])
        for row, size in zip(kinds, moved.real.sum(1).tolist(), strict=True):
            for i in range(1, size):
                assert row[i, :i].min() == row[i:size, :i].min()
                seen += 1
    assert seen > 10


def test_relabelling_nodes_and_their_noise_changes_nothing() -> None:
    batch, model, noise = graphs(30, 9), _richest(), names(30)
    order = torch.rand(30, 9).argsort(1)
    with torch.no_grad():
        plain = model.code_log_prob(batch, noise=noise)
        moved = model.code_log_prob(batch.permute(order), noise=Relabelled(noise, order))
    assert torch.allclose(plain, moved, atol=1e-4)


def test_sampling_agrees_with_the_likelihood() -> None:
    model, noise = _richest(), names(16, seed=5)
    trace = model.sample_trace(noise)
    forced = model.distributions(trace.states[:-1])
    for k, (dist, code) in enumerate(zip(forced, trace.codes, strict=True)):
        assert torch.equal(dist.sample(noise.fork(k)), code)
        assert bool(dist.log_prob(code).isfinite().all())


def test_every_parameter_of_the_coupling_learns() -> None:
    model = _richest().train()
    model((graphs(40, 9),), names(40))["loss"].backward()
    for name, parameter in model.get_submodule("head.split.coupling").named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.count_nonzero()), name


def test_rows_of_similar_length_together_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, noise = _richest(), names(16, seed=5)
    parts = "graphs.generators.contraction.split.half_edges.SHORT"

    def found() -> tuple[list[torch.Tensor], torch.Tensor]:
        trace = model.sample_trace(noise)
        with torch.no_grad():
            return trace.codes, model.code_log_prob(graphs(16, 9), noise=noise)

    codes, nats = found()
    monkeypatch.setattr(parts, 1)
    half_edges = (HalfEdges.of(state) for state in model.sample_trace(noise).states[1:-1])
    assert any(len(list(each.by_degree())) > 1 for each in half_edges if len(each.row))
    again, same = found()
    assert all(torch.equal(a, b) for a, b in zip(codes, again, strict=True))
    assert torch.allclose(nats, same, atol=1e-4)
