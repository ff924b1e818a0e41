"""Training on contractions: what is left out, what is drawn, and edges that are no tokens."""

import math

import networkx as nx
import pytest
import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.data.convert_networkx import from_networkx
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.refiner import scale_weights, split_examples
from graphs.generators.kinds import kind_of
from refine_core.errors import InputError
from refine_core.noise import Noise
from tests.graphs.tiny import Relabelled, graphs, names, refiner

EDGE_TOKENS = ("all", "none")


def _bits(model: GraphRefiner, batch: GraphBatch) -> float:
    nats = model.code_log_prob(batch, noise=names(len(batch))).sum(1).mean()
    return -float(nats) / math.log(2)


@pytest.mark.parametrize("edge_tokens", EDGE_TOKENS)
def test_training_measures_the_likelihood(edge_tokens: str) -> None:
    model, batch = refiner(edge_tokens=edge_tokens), graphs(40, 6)
    with torch.no_grad():
        found = model((batch,), names(40))
        assert math.isclose(float(found["bits"]), _bits(model, batch), rel_tol=1e-4)
        states = model.tokenizer.trace(model.tokenizer.features(batch, names(40))).states
    splits = sum(int(state.split.sum()) for state in states)
    nats = float(found["bits"]) * math.log(2) * 40
    assert math.isclose(float(found["loss"]), nats / splits, rel_tol=1e-4)


@pytest.mark.parametrize("edge_tokens", EDGE_TOKENS)
def test_half_precision_rounds_and_no_more(edge_tokens: str) -> None:
    model, batch = refiner(edge_tokens=edge_tokens), graphs(40, 6)
    whole = model((batch,), names(40))
    with torch.autocast("cpu", torch.bfloat16):
        half = model((batch,), names(40))
    assert math.isclose(float(half["bits"]), float(whole["bits"]), rel_tol=5e-3)
    assert int(half["count"]) == int(whole["count"])
    half["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_subsample_of_scales_has_the_same_expectation() -> None:
    model, batch = refiner(edge_tokens="none", scale_subsampling=1.2), graphs(30, 6)
    seen = torch.stack([model((batch,), names(30, seed=s))["bits"] for s in range(60)])
    model.scale_subsampling = None
    whole = torch.stack([model((batch,), names(30, seed=s))["bits"] for s in range(60)])
    assert abs(seen.mean() - whole.mean()) < 4 * (seen.std() + whole.std()) / 60**0.5
    trace = model.tokenizer.trace(model.tokenizer.features(batch, names(30)))
    some, every = (split_examples(trace, torch.rand(30), each) for each in (1.2, None))
    assert sum(len(x.graph) for x in some) < sum(len(x.graph) for x in every)


def test_weights_are_unbiased_and_counts_even() -> None:
    active = torch.tensor([[True, True, True, True, False]])
    clusters = torch.tensor([[1, 1, 2, 5, 9]])
    uniform = (torch.arange(10_000) + 0.5) / 10_000
    found = scale_weights(active.expand(10_000, -1), clusters.expand(10_000, -1), uniform, 1.0)
    assert torch.allclose(found.mean(0), active[0].float(), atol=0.01)
    assert set((found > 0).sum(1).tolist()) <= {3, 4}  # 1 + 1 + .71 + .45


@pytest.mark.parametrize("edge_tokens", EDGE_TOKENS)
def test_sampling_reads_only_graphs_that_come_further_apart(edge_tokens: str) -> None:
    model, read = refiner(edge_tokens=edge_tokens), list[int]()
    hook = model.transformer.register_forward_hook(lambda *given: read.append(len(given[2])))
    trace = model.sample_trace(names(30))
    hook.remove()
    assert read == [int(state.split.any(1).sum()) for state in trace.states[:-1]]
    assert read[-1] < 30
    whole = model.tokenizer.finish(trace.states[-1])
    for k in range(0, 30, 7):
        alone = model.sample(Noise(names(30).seed, torch.tensor([k])))
        n = int(whole.valid[k].sum())
        assert torch.equal(alone.edges[0], whole.edges[k, :n, :n])
        assert torch.equal(alone.nodes[0], whole.nodes[k, :n])


def test_what_is_read_at_once_is_of_like_size() -> None:
    model, batch = refiner(), graphs(40, 9)
    trace = model.tokenizer.trace(model.tokenizer.features(batch, names(40)))
    for part in split_examples(trace, torch.rand(40), None):
        sizes = part.state.valid.sum(1)
        assert int(sizes.max()) < 2 * int(sizes.min())
        assert part.state.valid.shape[1] == sizes.max()
        assert bool(part.state.split.any(1).all())


def test_edges_need_not_be_tokens() -> None:
    model, noise = refiner(edge_tokens="none"), names(16, seed=5)
    trace = model.sample_trace(noise)
    assert any(state.real.any() for state in trace.states)
    forced = model.distributions(trace.states[:-1])
    for k, (dist, code) in enumerate(zip(forced, trace.codes, strict=True)):
        assert torch.equal(dist.sample(noise.fork(k)), code)
        assert bool(dist.log_prob(code).isfinite().all())
    batch, noise, order = graphs(30, 9), names(30), torch.rand(30, 9).argsort(1)
    with torch.no_grad():
        plain = model.code_log_prob(batch, noise=noise)
        moved = model.code_log_prob(batch.permute(order), noise=Relabelled(noise, order))
    assert torch.allclose(plain, moved, atol=1e-4)


def test_labels_of_edges_are_seen_and_every_parameter_learns() -> None:
    model = refiner(edge_tokens="none").train()
    model((graphs(40, 6),), names(40))["loss"].backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and name != "embed.property.0.weight":
            assert parameter.grad is not None and bool(parameter.grad.count_nonzero()), name


def test_a_chance_below_that_of_one_cluster_is_refused() -> None:
    with pytest.raises(InputError, match=r"scale_subsampling: found 0.5, expected.*at least 1"):
        ContractionConfig(scale_subsampling=0.5)


def test_what_is_computed_again_for_lack_of_memory_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch, noise, model = graphs(16, 9), names(16), refiner()

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        model((batch,), noise)["loss"].backward()
        return [x.grad.clone() for x in model.parameters() if x.grad is not None]

    whole = gradients()
    monkeypatch.setattr("graphs.generators.contraction.refiner.PAIRS", 1000)
    trace = model.tokenizer.trace(model.tokenizer.features(batch, noise))
    parts = split_examples(trace, torch.zeros(16), None)
    assert all(part.pairs <= 1000 or len(part.graph) == 1 for part in parts[1:])
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(whole, gradients(), strict=True))


def test_graphs_of_many_labels_are_drawn_alike_in_any_batch() -> None:
    def path(count: int) -> "nx.Graph[int]":
        graph: nx.Graph[int] = nx.path_graph(count)
        nx.set_node_attributes(graph, {node: f"l{node:03}" for node in graph}, "label")
        return graph

    store = from_networkx([path(count) for count in (90, 140, 66)])
    config = ContractionConfig(dim=16, depth=1, heads=2, edge_tokens="none")
    refiner = kind_of(config).build(GraphStatistics.of(store)).eval()

    def drawn(rows: list[int]) -> Tensor:
        index = torch.tensor(rows)
        trace = refiner.tokenizer.trace(
            refiner.tokenizer.features(store[index][0], Noise(0, index))
        )
        with torch.no_grad():
            dist = refiner.distributions(trace.states[:2])[1]
        return dist.sample(Noise(0, index))

    whole, edges = drawn([0, 1, 2]), 3
    for row in range(3):
        alone = drawn([row])[0, 0, :-edges]
        assert torch.equal(whole[row, 0, :-edges][: len(alone)], alone)
