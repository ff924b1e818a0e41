"""Graphs in any format become adjacency matrices."""

import networkx as nx
import numpy as np
import pytest
import torch

from graphs.data.batch import GraphBatch
from graphs.metrics.plain.adjacency import adjacencies, to_networkx
from refine_core.errors import InputError
from tests.graphs.metrics.graphs import random_graphs


def test_all_kinds_of_graphs_are_read_alike() -> None:
    plain = random_graphs(3, 6, 7)
    edges = torch.zeros(3, 8, 8, dtype=torch.int64)
    edges[:, :6, :6] = torch.from_numpy(np.stack(plain)).long() * 2
    valid = torch.arange(8).expand(3, 8) < 6
    batch = GraphBatch(torch.zeros(3, 8, dtype=torch.int64), edges, valid)
    loops = [to_networkx(a) for a in plain]
    loops[0].add_edge(2, 2)
    for graphs in (batch, loops, plain):
        assert np.array_equal(adjacencies(graphs), plain)


def test_directed_and_oblong_graphs_are_refused() -> None:
    with pytest.raises(InputError, match="directed"):
        adjacencies([nx.DiGraph([(0, 1)])])
    with pytest.raises(InputError, match=r"\(2, 3\)"):
        adjacencies([np.zeros((2, 3), bool)])
