"""Valence limits."""

import torch

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.valence import ValenceLimits


def test_valence_limits_are_the_largest_totals_of_training() -> None:
    edges = torch.zeros(1, 3, 3).long()
    edges[0, 0, 1] = edges[0, 1, 0] = 2
    edges[0, 1, 2] = edges[0, 2, 1] = 1
    batch = GraphBatch(torch.tensor([[0, 1, 0]]), edges, torch.ones(1, 3).bool())
    found = ValenceLimits.of([batch], Vocabulary(("C", "N"), ("SINGLE", "DOUBLE")))
    assert found.capacity == (4, 6) and found.weight == (2, 4)
