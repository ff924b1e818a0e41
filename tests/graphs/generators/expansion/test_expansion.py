"""Local expansion: the contraction is undone exactly, and the laws of every kind hold."""

from itertools import product
from pathlib import Path

import networkx as nx
import pytest
import torch

from graphs import model as trained
from graphs.config import GraphsConfig, ModelConfig
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.datasets.properties import Properties
from graphs.datasets.random_families import generic
from graphs.generators.build import build
from graphs.generators.expansion.model import ExpansionRefiner
from graphs.generators.expansion.neighbours import Deal
from graphs.generators.expansion.state import FIXED, Coarse
from graphs.generators.expansion.symmetry import checks
from graphs.generators.expansion.tokenizer import ExpansionTokenizer
from graphs.invariance import assert_exchangeable, graph_example
from graphs.model import GraphModel
from refine_core.errors import InputError
from refine_core.noise import Noise
from tests.graphs import tiny
from tests.graphs.kinds import SIZES, equal

BOTH = pytest.mark.parametrize("counted", [False, True], ids=["plain", "counted"])


def _model(counted: bool, connected: bool = True) -> GraphModel:
    torch.manual_seed(0)
    settings = ModelConfig(
        kind="expansion", dim=16, depth=2, heads=2, matching="tight", counted=counted
    )
    refiner = build(settings, Vocabulary(), (6, 9), connected=connected, sizes=SIZES)
    for parameter in refiner.parameters():  # gates of zero would hide most of it
        parameter.data.add_(0.1 * torch.randn(parameter.shape))
    config = GraphsConfig(model=settings)
    return GraphModel(
        refiner.eval(), config, Vocabulary(), (6, 9), connected, Properties(), None, SIZES
    )


def _plain(batch: GraphBatch) -> GraphBatch:
    return GraphBatch(batch.nodes * 0, (batch.edges > 0).long(), batch.valid)


def _same(a: GraphBatch, b: GraphBatch) -> bool:
    pairs = ((tiny.to_networkx(a, g), tiny.to_networkx(b, g)) for g in range(len(a)))
    return all(nx.is_isomorphic(x, y) for x, y in pairs)


@BOTH
@pytest.mark.parametrize("connected", [True, False])
def test_a_contraction_is_undone(counted: bool, connected: bool) -> None:
    batch = _plain(tiny.graphs(60, 9, connected=connected))
    tokens = ExpansionTokenizer(Vocabulary(), (0,) * 9 + (1,), "tight", counted)
    trace = tokens.trace(tokens.features(batch, tiny.names(60)))
    assert _same(tokens.finish(trace.states[-1]), batch)
    for state in trace.states:
        assert torch.equal(state.size.sum(1), batch.sizes)
        if counted and state.started:  # no edge is lost
            whole = state.inner.sum(1) + state.edges.sum((1, 2)) // 2
            assert torch.equal(whole, batch.edges.sum((1, 2)) // 2)
        assert not (state.edges.bool() & state.split[:, :, None] & state.split[:, None]).any()


def test_tight_contraction_keeps_triangulations() -> None:
    (batch,) = generic("planar", 8)[torch.arange(8)]

    def shared(matching: str) -> float:
        """Share of splits after which the children have more than two common neighbours."""
        tokens = ExpansionTokenizer(Vocabulary(), (0,) * 64 + (1,), matching)  # type: ignore[arg-type]
        trace = tokens.trace(tokens.features(batch, tiny.names(8)))
        more = []
        for state, code in zip(trace.states, trace.codes, strict=False):
            first, second = code[:, :, FIXED:].chunk(2, 2)
            more.append(((first > 0) & (second > 0)).sum(2)[state.split] > 2)
        return float(torch.cat(more).float().mean())

    assert 2 * shared("tight") < shared("random")


@BOTH
@pytest.mark.parametrize("connected", [True, False])
def test_probabilities_sum_to_one(counted: bool, connected: bool) -> None:
    made = _model(counted, connected)
    edges = torch.tensor([[[0, 2, 3], [2, 0, 0], [3, 0, 0]]])
    edges = edges if counted else (edges > 0).long()
    size, split = torch.tensor([[3, 1, 2]]), torch.tensor([[True, False, False]])
    inner = torch.tensor([[3, 0, 1]]) * int(counted)
    state = Coarse(size, inner, edges, split, tiny.names(1))
    dist = made.refiner.distributions([state])[0]
    total = 0.0
    digits = [(1, 2), range(4), range(4)] if counted else [(1, 2), (0, 1)]
    parts = [range(3), range(4)] if counted else [range(3), range(3)]
    for given in product(*digits, *parts):
        code = torch.zeros(1, 3, FIXED + 6, dtype=torch.int64)
        code[0, 0, 0], code[0, 0, 3] = given[0], given[1]
        if counted:
            code[0, 0, 1], code[0, 0, 2] = given[2], 3 - given[1] - given[2]
            code[0, 0, 5:7] = torch.tensor(given[3:])
            code[0, 0, 8:10] = torch.tensor((2, 3)) - code[0, 0, 5:7]
        else:
            label = torch.tensor(given[2:])
            code[0, 0, 5:7], code[0, 0, 8:10] = (label != 1).long(), (label != 0).long()
        if int(code.min()) >= 0:
            total += float(dist.log_prob(code).exp().detach())
    assert total == pytest.approx(1, rel=1e-4)


@BOTH
def test_networks_are_equivariant(counted: bool) -> None:
    for _, check in checks(_model(counted).refiner, graph_example(Vocabulary()), 0):  # type: ignore[arg-type]
        check()


@BOTH
def test_samples_are_exchangeable(counted: bool) -> None:
    made = _model(counted, connected=False)
    assert_exchangeable(lambda seed: made.sample(1500, seed=seed))


@BOTH
def test_samples_depend_on_seed_and_place_only(counted: bool) -> None:
    made = _model(counted)
    whole = made.sample(40, seed=3)
    assert equal(whole, made.sample(40, seed=3, batch=7))
    assert not equal(whole, made.sample(40, seed=4))
    assert torch.equal(whole.edges, whole.edges.mT) and whole.edges.max() == 1
    assert all(nx.is_connected(tiny.to_networkx(whole, g)) for g in range(40))


@BOTH
def test_samples_follow_the_law_that_training_sees(counted: bool) -> None:
    refiner, names = _model(counted, connected=False).refiner, tiny.names(20)
    trace = refiner.sample_trace(names)
    given = refiner.distributions(trace.states[:-1])
    for k, (dist, code) in enumerate(zip(given, trace.codes, strict=True)):
        assert torch.equal(dist.sample(names.fork(k)), code)
        assert torch.isfinite(dist.log_prob(code)).all() and (dist.log_prob(code) > -99).all()


@BOTH
def test_saved_model_is_the_same(counted: bool, tmp_path: Path) -> None:
    made = _model(counted)
    made.save(tmp_path / "model.safetensors", half=False)
    again = trained.load(tmp_path)
    assert equal(again.sample(20, seed=1), made.sample(20, seed=1))
    batch = _plain(tiny.graphs(5, 6))
    assert torch.allclose(again.code_log_prob(batch), made.code_log_prob(batch))


@BOTH
def test_training_reaches_every_parameter(counted: bool) -> None:
    refiner = _model(counted, connected=False).refiner.train()
    refiner((_plain(tiny.graphs(16, 6)),), tiny.names(16))["loss"].backward()
    assert not [name for name, p in refiner.named_parameters() if p.grad is None]


def test_some_scales_say_on_average_what_all_say() -> None:
    batch = _plain(tiny.graphs(32, 9))
    refiner = _model(False).refiner
    assert isinstance(refiner, ExpansionRefiner)
    with torch.no_grad():
        whole = float(refiner((batch,), tiny.names(32))["bits"])
        refiner.every = 2
        noise = [Noise(seed, torch.arange(32)) for seed in range(40)]
        some = sum(float(refiner((batch,), one)["bits"]) for one in noise) / len(noise)
    assert some == pytest.approx(whole, rel=0.1)


def test_what_expansion_cannot_do_is_said() -> None:
    made = _model(False)
    with pytest.raises(InputError, match="calls of an expansion follow"):
        made.sample(1, calls=4)
    with pytest.raises(InputError, match="only the kind 'contraction' has it"):
        made.sample(1, parallel="all")
    with pytest.raises(InputError, match="without labels"):
        build(made.config.model, tiny.VOCABULARY, (3, 3), sizes=SIZES)
    with pytest.raises(InputError, match="takes no properties"):
        build(made.config.model, Vocabulary(), (3, 3), properties=1, sizes=SIZES)


def test_neighbours_in_a_planar_graph_make_a_ring() -> None:
    (batch,) = generic("planar", 4)[torch.arange(4)]
    tokens = ExpansionTokenizer(Vocabulary(), (0,) * 64 + (1,), "tight")
    trace = tokens.trace(tokens.features(batch, tiny.names(4)))

    def rings(ring: bool) -> float:
        """Share of clusters no neighbour of which is beside more than two others."""
        most: list[int] = []
        for k, state in enumerate(trace.states[:-1]):
            deal = Deal.of(state, k, ring)
            most += (deal.relation == 0).sum(2).amax(1).tolist() if deal.near.shape[1] else []
        return sum(beside <= 2 for beside in most) / len(most)

    assert rings(True) > 0.97 > 0.92 > rings(False)
