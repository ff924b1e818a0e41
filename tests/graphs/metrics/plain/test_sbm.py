"""The test of block models: communities, description length, p-value."""

import networkx as nx
import numpy as np

from graphs.metrics.plain.adjacency import adjacencies, to_networkx
from graphs.metrics.plain.sbm import communities, description_length, is_sbm, p_value
from tests.graphs.metrics.graphs import block_model, shuffled


def test_communities_are_recovered() -> None:
    for seed in range(8):
        adjacency, blocks = block_model(seed)
        found = communities(shuffled(adjacency, seed))
        order = np.random.default_rng(seed).permutation(len(blocks))
        pairs = set(zip(found.tolist(), blocks[order].tolist(), strict=True))
        assert len(pairs) == len(set(blocks.tolist())) == len(set(found.tolist()))


def test_description_length_of_one_block() -> None:
    """ln C(n (n-1) / 2, m) for the edges, ln n for how many blocks; the rest is certain."""
    (path,) = adjacencies([nx.path_graph(4)])
    expected = np.log(20) + np.log(4)  # C(6, 3) places, 4 possible numbers of blocks
    assert np.isclose(description_length(path, np.zeros(4, np.int64)), expected)


def test_the_published_p_value() -> None:
    """Against the formula written out, for two communities of 20 with 60, 50 and 2 edges."""
    from scipy.stats import chi2

    found = p_value(np.array([20, 20]), np.array([[120, 2], [2, 100]]))
    expected = 0.0
    for density, rate, weight in ((120 / 380, 0.3, 1), (100 / 380, 0.3, 1), (2 / 400, 0.005, 2)):
        wald = (density - rate) ** 2 / (density * (1 - density))
        expected += weight * float(1 - chi2.cdf(wald, 1)) / 4
    assert np.isclose(found, expected, atol=1e-4)


def test_other_graphs_are_no_block_models() -> None:
    for seed in range(5):
        random = nx.gnp_random_graph(100, 0.08, seed=seed)
        assert not is_sbm(adjacencies([random])[0])
    planar, _ = block_model(0)
    rewired = nx.double_edge_swap(to_networkx(planar), 2000, 100000, seed=1)
    assert not is_sbm(adjacencies([rewired])[0])


def test_verdicts_are_those_on_the_true_communities() -> None:
    verdicts = []
    for seed in range(40):
        adjacency, blocks = block_model(seed)
        member = np.eye(blocks.max() + 1, dtype=np.int64)[blocks]
        true = p_value(member.sum(0), member.T @ adjacency @ member) > 0.9
        assert is_sbm(adjacency) is true
        verdicts.append(true)
    assert 0.75 < np.mean(verdicts) < 1  # the test is strict: not all true draws pass
