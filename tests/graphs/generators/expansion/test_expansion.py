"""Local expansion: the contraction is undone exactly, and probabilities sum to one."""

from dataclasses import replace
from itertools import product

import networkx as nx
import pytest
import torch

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.datasets.random_families import random_graphs
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.expansion.neighbours import Neighbours
from graphs.generators.expansion.refiner import ExpansionRefiner
from graphs.generators.expansion.state import CLUSTER_DIGITS, CoarseGraph
from graphs.generators.expansion.tokenizer import ExpansionTokenizer
from graphs.model import GraphModel
from refine_core.noise import Noise
from tests.graphs import tiny

BOTH = pytest.mark.parametrize("counted", [False, True], ids=["plain", "counted"])


def _model(counted: bool, connected: bool = True) -> GraphModel:
    config = ExpansionConfig(**tiny.SMALL, matching="tight", counted=counted)
    return tiny.model(config, replace(tiny.PLAIN, connected=connected))


def _same(a: GraphBatch, b: GraphBatch) -> bool:
    pairs = ((tiny.to_networkx(a, g), tiny.to_networkx(b, g)) for g in range(len(a)))
    return all(nx.is_isomorphic(x, y) for x, y in pairs)


@BOTH
@pytest.mark.parametrize("connected", [True, False])
def test_a_contraction_is_undone(counted: bool, connected: bool) -> None:
    batch = tiny.plain(tiny.graphs(60, 9, connected=connected))
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
    (batch,) = random_graphs("planar", 8)[torch.arange(8)]

    def shared(matching: str) -> float:
        """Share of splits after which the children have more than two common neighbours."""
        tokens = ExpansionTokenizer(Vocabulary(), (0,) * 64 + (1,), matching)  # type: ignore[arg-type]
        trace = tokens.trace(tokens.features(batch, tiny.names(8)))
        more = []
        for state, code in zip(trace.states, trace.codes, strict=False):
            first, second = code[:, :, CLUSTER_DIGITS:].chunk(2, 2)
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
    state = CoarseGraph(size, inner, edges, split, tiny.names(1))
    dist = made.refiner.distributions([state])[0]
    total = 0.0
    digits = [(1, 2), range(4), range(4)] if counted else [(1, 2), (0, 1)]
    parts = [range(3), range(4)] if counted else [range(3), range(3)]
    for given in product(*digits, *parts):
        code = torch.zeros(1, 3, CLUSTER_DIGITS + 6, dtype=torch.int64)
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


@pytest.mark.parametrize("connected", [True, False])
def test_a_digit_knows_of_none_after_it(connected: bool) -> None:
    """So that probabilities sum to one whatever the weights; some start as zero and hide it."""
    made = _model(True, connected)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.refiner.get_submodule("head").parameters():
            parameter.normal_(0, 0.5, generator=random)
    size, inner = torch.tensor([[5]]), torch.tensor([[6]])
    state = CoarseGraph(size, inner, torch.zeros(1, 1, 1).long(), size > 0, tiny.names(1))
    dist, total = made.refiner.distributions([state])[0], 0.0
    for first, between, inside in product((3, 4), range(7), range(7)):
        if between + inside <= 6:
            code = torch.tensor([[[first, inside, 6 - between - inside, between, 0, 0]]])
            total += float(dist.log_prob(code).exp().detach())
    assert total == pytest.approx(1, rel=1e-4)


@BOTH
def test_samples_are_connected_where_training_graphs_are(counted: bool) -> None:
    whole = _model(counted).sample(40, seed=3)
    assert whole.edges.max() == 1
    assert all(nx.is_connected(tiny.to_networkx(whole, g)) for g in range(40))


def test_some_scales_have_on_average_the_bits_of_all() -> None:
    batch = tiny.plain(tiny.graphs(32, 9))
    refiner = _model(False).refiner
    assert isinstance(refiner, ExpansionRefiner)
    with torch.no_grad():
        whole = float(refiner((batch,), tiny.names(32))["bits"])
        refiner.scale_thinning = 2
        noise = [Noise(seed, torch.arange(32)) for seed in range(40)]
        some = sum(float(refiner((batch,), one)["bits"]) for one in noise) / len(noise)
    assert some == pytest.approx(whole, rel=0.1)


def test_neighbours_in_a_planar_graph_make_a_ring() -> None:
    (batch,) = random_graphs("planar", 4)[torch.arange(4)]
    tokens = ExpansionTokenizer(Vocabulary(), (0,) * 64 + (1,), "tight")
    trace = tokens.trace(tokens.features(batch, tiny.names(4)))

    def rings(ring: bool) -> float:
        """Share of clusters no neighbour of which is adjacent to more than two others."""
        most: list[int] = []
        for k, state in enumerate(trace.states[:-1]):
            neighbours = Neighbours.of(state, k, ring)
            most += (
                (neighbours.relation == 0).sum(2).amax(1).tolist()
                if neighbours.index.shape[1]
                else []
            )
        return sum(adjacent <= 2 for adjacent in most) / len(most)

    assert rings(True) > 0.97 > 0.92 > rings(False)
