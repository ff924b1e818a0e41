"""Relations of tokens, against a search over the graph of clusters and edges."""

import networkx as nx
import pytest
import torch

from graphs.generators.contraction.relations import TWICE, token_relations
from graphs.generators.contraction.state.partition import Partition
from tests.graphs.tiny import graphs, names, refiner


def _network(state: Partition, g: int) -> "nx.Graph[int]":
    """Clusters 0..m-1, edges m.. as nodes."""
    m = state.valid.shape[1]
    network: nx.Graph[int] = nx.Graph()
    network.add_nodes_from(torch.nonzero(state.valid[g])[:, 0].tolist())
    for slot in torch.nonzero(state.real[g])[:, 0].tolist():
        for end in state.ends[g, slot].tolist():
            network.add_edge(end, m + slot)
    return network


def _states() -> list[Partition]:
    tokens = refiner().tokenizer
    states: list[Partition] = tokens.trace(tokens.features(graphs(12, 9), names(12))).states[1:]
    return states


@pytest.mark.parametrize("reach", [2, 3, 8])
def test_relations_are_distances_and_common_neighbours(reach: int) -> None:
    for state in _states():
        found = token_relations(state.edge_counts, state.ends, reach)
        for g in range(len(state)):
            network = _network(state, g)
            far = dict(nx.all_pairs_shortest_path_length(network))
            for a in network:
                for b in network:
                    wanted = min(far[a].get(b, reach + 1), reach + 1)
                    if wanted == 2 and len(set(network[a]) & set(network[b])) > 1:
                        wanted = reach + TWICE
                    assert found[g, a, b] == wanted
