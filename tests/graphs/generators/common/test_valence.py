"""Valence limits."""

import torch

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.valence import ValenceLimits
from tests.graphs.tiny import graph


def test_valence_limits_are_the_largest_totals_of_training() -> None:
    edges = torch.zeros(1, 3, 3).long()
    edges[0, 0, 1] = edges[0, 1, 0] = 2
    edges[0, 1, 2] = edges[0, 2, 1] = 1
    batch = GraphBatch(torch.tensor([[0, 1, 0]]), edges, torch.ones(1, 3).bool())
    found = ValenceLimits.of([batch], Vocabulary(("C", "N"), ("SINGLE", "DOUBLE")))
    assert found.capacity == (4, 6) and found.weight == (2, 4)


def test_graphs_that_exceed_limits_are_found() -> None:
    limits = ValenceLimits((4, 6), (2, 4), ((2, 1), (3, 1)))
    kept = graph([1, 0, 0], [(0, 1, 1), (1, 2, 1)])
    heavy = graph([0, 1, 1], [(0, 1, 2), (0, 2, 1)])  # 4 + 2 at a node that may have 4
    many = graph([1, 1, 1], [(0, 1, 2), (0, 2, 2)])  # two of label 2, where one is the most
    every = GraphBatch.joined([kept, heavy, many])
    assert limits.exceeded(every).tolist() == [False, True, True]
    assert ValenceLimits((4, 8), (2, 4)).exceeded(every).tolist() == [False, True, False]
