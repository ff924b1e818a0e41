"""Laws of the contraction tokeniser."""

from dataclasses import replace

import networkx as nx
import pytest
import torch

from graphs.generators.contraction.split.bounds import Budget
from graphs.generators.contraction.split.distribution import SplitDistribution
from tests.graphs.tiny import Relabelled, graphs, names, refiner, same, to_networkx


@pytest.mark.parametrize("connected", [True, False])
def test_decoding_gives_the_graph_back(connected: bool) -> None:
    batch = graphs(40, 9, connected=connected)
    tokens = refiner(connected=connected).tokenizer
    trace = tokens.trace(tokens.features(batch, names(40)))
    back = tokens.decode(trace.codes)
    # Decoding splits in an order of its own unless it is given the same noise.
    start = tokens.start(40, names(40))
    replay = tokens.unroll(start, lambda _, k: tokens.lookup(trace.codes[k], k))
    assert len(back) == 40
    final = tokens.finish(replay.states[-1])
    for g in range(40):
        assert same(to_networkx(batch, g), to_networkx(final, g))


@pytest.mark.parametrize("connected", [True, False])
def test_codes_of_graphs_are_within_bounds(connected: bool) -> None:
    batch = graphs(60, 9, connected=connected, seed=1)
    tokens = refiner(connected=connected).tokenizer
    trace = tokens.trace(tokens.features(batch, names(60)))
    for state, code in zip(trace.states, trace.codes, strict=False):
        rows = code[:, : state.valid.shape[1]][state.split]
        low, high = Budget.of(state, connected).bounds(rows)
        assert bool(((low <= rows) & (rows <= high)).all())


def test_neighbours_never_split_at_once() -> None:
    batch, tokens = graphs(40, 9), refiner().tokenizer
    states = tokens.trace(tokens.features(batch, names(40))).states
    assert max(int(state.split.sum(1).max()) for state in states) > 1
    pairs = [s.joined & s.split[:, :, None] & s.split[:, None] for s in states]
    assert not any(bool(pair.any()) for pair in pairs)


def test_sums_are_kept_at_every_scale() -> None:
    batch = graphs(30, 9)
    tokens = refiner().tokenizer
    states = tokens.trace(tokens.features(batch, names(30))).states[1:]
    nodes = states[0].nodes.sum(1)
    for state in states:
        assert torch.equal(state.nodes.sum(1), nodes)
        edges = state.inner.sum((1, 2)) + state.real.sum(1)
        assert torch.equal(edges, states[0].inner.sum((1, 2)))


@pytest.mark.parametrize("matching", ["random", "rings"])
def test_relabelling_nodes_and_their_noise_changes_nothing(matching: str) -> None:
    batch, model = graphs(30, 9), refiner(matching=matching)
    order = torch.rand(30, 9).argsort(1)
    noise = names(30)
    with torch.no_grad():
        plain = model.code_log_prob(batch, noise=noise)
        moved = model.code_log_prob(batch.permute(order), noise=Relabelled(noise, order))
    assert torch.allclose(plain, moved, atol=1e-4)


def test_padding_changes_nothing() -> None:
    batch, model = graphs(20, 6), refiner()
    wide = batch.permute(torch.arange(6).expand(20, 6))
    wide = type(wide)(
        torch.nn.functional.pad(wide.nodes, (0, 3)),
        torch.nn.functional.pad(wide.edges, (0, 3, 0, 3)),
        torch.nn.functional.pad(wide.valid, (0, 3)),
    )
    with torch.no_grad():
        a, b = (model.code_log_prob(x, noise=names(20)) for x in (batch, wide))
    assert torch.allclose(a, b, atol=1e-4)


def test_samples_are_connected_simple_graphs_whatever_the_batch() -> None:
    model = refiner()
    drawn, few = model.sample(names(40)), model.sample(names(7))
    for g in range(40):
        graph = to_networkx(drawn, g)
        assert nx.is_connected(graph)
        assert 1 <= len(graph) <= sum((6, 6, 6))
    for g in range(7):
        size = int(few.sizes[g])
        assert torch.equal(few.edges[g, :size, :size], drawn.edges[g, :size, :size])
        assert torch.equal(few.nodes[g, :size], drawn.nodes[g, :size])


def test_sampling_agrees_with_the_likelihood() -> None:
    model = refiner()
    trace = model.sample_trace(names(16, seed=5))
    forced = model.distributions(trace.states[:-1])
    noise = names(16, seed=5)
    for k, (dist, code) in enumerate(zip(forced, trace.codes, strict=True)):
        assert torch.equal(dist.sample(noise.fork(k)), code)
        assert bool(dist.log_prob(code).isfinite().all())


def test_every_parameter_learns() -> None:
    model = refiner().train()
    model((graphs(20, 9),), names(20))["loss"].backward()
    # No property is given; a shift of all logits changes no subset of a given size.
    idle = {"embed.property.0.weight", "head.stay.3.bias"}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert name in idle or bool(parameter.grad.count_nonzero()), name


def test_samples_follow_the_probabilities() -> None:
    model, count = refiner(), 20_000
    batch = graphs(20, 5)
    batch = batch[batch.sizes == 5][:1]
    trace = model.tokenizer.trace(model.tokenizer.features(batch, names(1)))
    state, many = trace.states[2], names(count)  # of two clusters and the edges between
    with torch.no_grad():
        one = model.distributions([trace.states[0], state])[1]
        assert isinstance(one, SplitDistribution)
        hidden = tuple((w, head, h.expand(count, *h.shape[1:])) for w, head, h in one.hidden)
        drawn = replace(one, state=state.repeated(count, many), hidden=hidden).sample(many)
        codes, times = drawn.unique(dim=0, return_counts=True)
        for code, share in zip(codes, times / count, strict=True):
            assert abs(float(one.log_prob(code[None]).exp() - share)) < 0.015
        total = sum(float(one.log_prob(code[None]).exp()) for code in codes)
    assert len(codes) > 3 and total > 0.95
