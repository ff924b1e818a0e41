"""Contractions: which clusters are merged first."""

import networkx as nx
import torch

from graphs.datasets.random_families import random_graphs
from graphs.generators.common.coarsening import contract
from graphs.generators.common.config import Matching
from refine_core.noise import Noise
from tests.graphs.tiny import graphs, names, to_networkx


def test_rings_are_contracted_whole() -> None:
    batch = graphs(60, 12)
    whole: dict[Matching, int] = {"random": 0, "rings": 0}
    total = 0
    for matching in whole:
        tree = contract(batch, names(60).uniform(0, 12), matching)
        for g in range(60):
            graph = to_networkx(batch, g)
            graph.remove_edges_from(list(nx.bridges(graph)))  # type: ignore[arg-type]
            clusters = {frozenset(torch.nonzero(row)[:, 0].tolist()) for row in tree.members[g]}
            systems = [frozenset(part) for part in nx.connected_components(graph)]
            whole[matching] += sum(part in clusters for part in systems if len(part) > 2)
            total += sum(len(part) > 2 for part in systems)
    assert whole["rings"] == total // 2 > 40
    assert whole["random"] < 0.8 * whole["rings"]


def test_dense_contraction_stays_inside_communities() -> None:
    store = random_graphs("sbm", 4)
    (batch,) = store[torch.arange(4)]
    name = Noise(0, torch.arange(4)).uniform(0, batch.nodes.shape[1])

    def mixed(matching: Matching) -> float:
        """Share of clusters of 8 to 32 nodes that hold more than one community."""
        tree = contract(batch, name, matching)
        size = tree.members.sum(2)
        seen, wrong = 0, 0
        for g in range(4):
            blocks = _blocks(batch.edges[g] > 0, int(batch.sizes[g]))
            for k in torch.nonzero((size[g] >= 8) & (size[g] <= 32))[:, 0]:
                inside = blocks[tree.members[g, k][: len(blocks)]]
                seen, wrong = seen + 1, wrong + int(len(inside.unique()) > 1)
        return wrong / seen

    assert mixed("dense") < 0.1 < 0.5 < mixed("random")


def _blocks(adjacency: torch.Tensor, n: int) -> torch.Tensor:
    from graphs.metrics.plain.sbm import communities

    return torch.from_numpy(communities(adjacency[:n, :n].numpy()))
