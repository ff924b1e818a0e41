"""The test of a sampler's law holds its level, finds leaks, and tells its power."""

from typing import Any

import numpy as np
import pytest
import torch

from graphs.data.batch import GraphBatch
from graphs.invariance import (
    ExchangeabilityError,
    UndecidedError,
    assert_exchangeable,
    exchangeability_test,
    graph_example,
)
from graphs.invariance.labelling_statistics import STATISTICS, by_size, read, statistics
from refine_core.errors import InputError

nx = pytest.importorskip("networkx")


def random_graphs(seed: int, count: int = 60, n: int = 6) -> GraphBatch:
    """Random graphs of n - 1 and n nodes, exchangeable, with labels that follow degrees."""
    random = torch.Generator().manual_seed(seed)
    valid = torch.arange(n) < (n - torch.randint(2, (count, 1), generator=random))
    edges = (torch.rand(count, n, n, generator=random) < 0.4).long().triu(1)
    edges = (edges + edges.mT) * (valid[:, :, None] & valid[:, None])
    return GraphBatch((edges.sum(2) > 2).long(), edges, valid)


def reordered(batch: GraphBatch, key: torch.Tensor, share: float) -> GraphBatch:
    """The first graphs with nodes in rising order of a key (b, n), padding last."""
    order = torch.where(batch.valid, key.double(), torch.inf).argsort(1)
    some = torch.arange(len(batch)) < round(share * len(batch))
    return batch.permute(torch.where(some[:, None], order, torch.arange(order.shape[1])))


def breadth_first(batch: GraphBatch) -> torch.Tensor:
    """Distance from a random node: an order that leaks little of degrees, but of edges."""
    distance = torch.full(batch.nodes.shape, 99)
    distance[:, 3] = 0
    for step in range(6):
        near = (batch.edges * (distance == step)[:, :, None]).any(1)
        distance = torch.where(near & (distance == 99), step + 1, distance)
    return distance + torch.rand(distance.shape)


def test_level() -> None:
    """Of 200 exchangeable samples about a tenth is rejected at 0.1."""
    p = np.array(
        [
            exchangeability_test(
                lambda seed: random_graphs(seed, 30),
                relabellings=39,
                alpha=0.1,
                simulations=0,
                seed=seed,
            ).p_value
            for seed in range(200)
        ]
    )
    assert 0.03 < (p <= 0.1).mean() < 0.17  # 0.1 +- 3.3 standard deviations
    assert 0.35 < (p <= 0.5).mean() < 0.62


@pytest.mark.parametrize(
    ("leak", "culprit"),
    [
        (lambda b: reordered(b, -b.edges.sum(2) + torch.rand(b.nodes.shape), 1), "degree"),
        (lambda b: reordered(b, b.nodes + torch.rand(b.nodes.shape), 1), "label"),
        (lambda b: reordered(b, breadth_first(b), 1), "distance of linked indices"),
        (lambda b: reordered(b, -b.edges.sum(2) + torch.rand(b.nodes.shape), 0.3), "degree"),
    ],
    ids=["degree", "label", "breadth first", "degree in 30 %"],
)
def test_leaks_are_caught(leak: Any, culprit: str) -> None:
    result = exchangeability_test(lambda seed: leak(random_graphs(seed, 300)), simulations=0)
    assert result.p_value <= 0.01
    assert min(p for name, p in result.statistics.items() if culprit in name) <= 0.01


def test_generator_that_numbers_its_nodes_is_caught() -> None:
    """Networkx grows preferential attachment from node 0, which keeps the highest degree."""

    def grown(seed: int) -> list[Any]:
        return [nx.barabasi_albert_graph(8, 1, seed=1000 * seed + i) for i in range(100)]

    def shuffled(seed: int) -> list[Any]:
        random = np.random.default_rng(seed)
        return [nx.relabel_nodes(g, dict(enumerate(random.permutation(8)))) for g in grown(seed)]

    with pytest.raises(ExchangeabilityError, match="leaks the order of nodes"):
        assert_exchangeable(grown)
    # Names do not matter, the order of nodes does.
    with pytest.raises(ExchangeabilityError, match="leaks the order of nodes"):
        assert_exchangeable(shuffled)

    def ordered(seed: int) -> list[Any]:
        made = []
        for graph in shuffled(seed):
            made.append(nx.Graph())
            made[-1].add_nodes_from(sorted(graph))
            made[-1].add_edges_from(graph.edges)
        return made

    assert assert_exchangeable(ordered, leak=0.5).p_value > 0.01


def test_power_is_the_share_of_leaking_samples_that_is_caught() -> None:
    """Told from one exchangeable sample, and counted over fresh ones that do leak."""
    options: dict[str, Any] = {"relabellings": 199, "alpha": 0.05}
    told = exchangeability_test(
        lambda s: random_graphs(s, 100), leak=0.15, simulations=200, **options
    )

    def leaking(seed: int) -> GraphBatch:
        batch = random_graphs(seed, 100)
        return reordered(batch, -batch.edges.sum(2) + torch.rand(batch.nodes.shape), 0.15)

    caught = [
        exchangeability_test(leaking, simulations=0, seed=seed, **options).p_value <= 0.05
        for seed in range(40)
    ]
    assert 0.2 < told.power < 0.98
    assert abs(np.mean(caught) - told.power) < 0.2


def test_power_grows_with_the_leak_and_is_the_level_without() -> None:
    powers = [
        exchangeability_test(
            lambda s: random_graphs(s, 150), leak=leak, alpha=0.05, relabellings=499
        ).power
        for leak in (0.0, 0.2, 0.6)
    ]
    assert powers[0] < 0.15 and powers[2] == 1
    assert powers == sorted(powers)


def test_too_few_graphs_do_not_pass() -> None:
    with pytest.raises(UndecidedError, match="Too few graphs"):
        assert_exchangeable(lambda seed: random_graphs(seed, 10))


def cycles(seed: int, *, leak: bool = False, count: int = 200, n: int = 6) -> GraphBatch:
    """Cycles, whose nodes have all one degree; numbered along the cycle, or at random."""
    random = torch.Generator().manual_seed(seed)
    edges = (torch.eye(n).roll(1, 0) + torch.eye(n).roll(-1, 0)).long().expand(count, n, n)
    batch = GraphBatch(torch.zeros(count, n).long(), edges, torch.ones(count, n).bool())
    return batch if leak else batch.permute(torch.rand(count, n, generator=random).argsort(1))


def test_regular_graphs_are_decided_by_the_order_along_their_edges() -> None:
    result = assert_exchangeable(cycles, leak=0.2)
    assert result.power > 0.9 and result.distinguishable == 200
    with pytest.raises(ExchangeabilityError, match="leaks"):
        assert_exchangeable(lambda seed: cycles(seed, leak=True))
    with pytest.raises(UndecidedError):
        assert_exchangeable(lambda seed: cycles(seed, count=5))


@pytest.mark.parametrize("few", [3, 100])
def test_graphs_of_one_labelling_leak_nothing(few: int) -> None:
    """A complete graph stays what it is under every relabelling: a fact about the sample."""
    whole = (~torch.eye(5).bool()).long().expand(few, 5, 5)
    valid = torch.ones(few, 5).bool()
    result = assert_exchangeable(lambda seed: GraphBatch(torch.zeros(few, 5).long(), whole, valid))
    assert result.p_value == 1 and result.distinguishable == 0
    assert "one labelling only" in str(result)
    labels = torch.arange(5).expand(few, 5)  # the labels give the order away
    with pytest.raises(ExchangeabilityError, match="leaks"):
        assert_exchangeable(lambda seed: GraphBatch(labels, whole, valid))


def test_statistics_of_relabelled_graphs_are_those_of_relabelled_arrays() -> None:
    """Index arithmetic against relabelling the graphs themselves."""
    batch = random_graphs(0)
    order = torch.rand(batch.nodes.shape).masked_fill(~batch.valid, 2).argsort(1)
    parts, moved = by_size(read(batch)), by_size(read(batch.permute(order)))
    inverse = order.argsort(1)
    indices = [
        inverse[None, batch.sizes == part.labels.shape[1], : part.labels.shape[1]].numpy()
        for part in parts
    ]
    still = [np.arange(p.labels.shape[1]) + np.zeros_like(p.labels)[None] for p in moved]
    assert np.allclose(statistics(parts, indices), statistics(moved, still))
    assert not np.allclose(statistics(parts, indices), statistics(parts, still))


def test_networkx_and_batches_are_read_alike() -> None:
    batch = graph_example()
    graphs = []
    for edges, valid in zip(batch.edges, batch.valid, strict=True):
        graphs.append(nx.from_numpy_array(edges[valid][:, valid].numpy()))
    for (labels, edges), (a, b) in zip(read(batch), read(graphs), strict=True):
        assert np.array_equal(labels, a)
        assert sorted(map(tuple, edges[:, :2])) == sorted(map(tuple, b[:, :2]))


def test_wrong_input_gets_a_sentence() -> None:
    with pytest.raises(InputError, match="at least 99"):
        exchangeability_test(random_graphs, relabellings=50)
    with pytest.raises(InputError, match="two nodes"):
        exchangeability_test(lambda seed: random_graphs(seed, n=1))
    with pytest.raises(InputError, match="of type int"):
        exchangeability_test(lambda seed: [1])  # type: ignore[list-item]
    assert set(exchangeability_test(random_graphs, simulations=1).statistics) == set(STATISTICS)
