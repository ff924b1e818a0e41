"""Directed graphs in memory, on disk, and in other libraries."""

from pathlib import Path

import networkx as nx
import pytest
import torch

from graphs.data.convert_networkx import from_networkx, to_networkx
from graphs.data.convert_pyg import from_pyg, to_pyg
from graphs.data.store import load, save
from tests.graphs.digraphs import batch_of, digraphs, same

pytest.importorskip("torch_geometric")


@pytest.mark.parametrize("labelled", [False, True])
def test_there_and_back_whatever_the_order_of_nodes(labelled: bool, tmp_path: Path) -> None:
    graphs = digraphs(labelled)
    save(from_networkx(graphs), tmp_path / "store")
    store = load(tmp_path / "store")
    batch = batch_of(store)
    order = torch.stack([torch.randperm(6) for _ in graphs])
    for given in (batch, batch.permute(order)):
        for graph, back in zip(graphs, to_networkx(given, store.vocabulary), strict=True):
            assert same(back, graph)
    pyg = batch_of(from_pyg(to_pyg(batch, store.vocabulary)))
    for ours, theirs in zip(batch.edges, pyg.edges, strict=True):
        assert torch.equal(ours > 0, theirs > 0)


def test_pyg_graphs_are_directed_if_one_lacks_a_direction() -> None:
    from torch_geometric.data import Data

    both = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2)
    one = Data(edge_index=torch.tensor([[1], [0]]), num_nodes=3)
    store = from_pyg([both, one, Data(num_nodes=1)])
    first, second, third = to_networkx(batch_of(store), store.vocabulary)
    assert set(first.edges) == {(0, 1), (1, 0)}
    assert set(second.edges) == {(1, 0)} and len(second) == 3
    assert len(third) == 1
    assert not from_pyg([both]).vocabulary.directed


def test_only_labels_that_occur_and_their_reverses_are_known() -> None:
    named: nx.DiGraph[int] = nx.DiGraph()
    named.add_edge(0, 1, label="x")
    assert from_networkx([named]).vocabulary.edges == ("<:x", ">:x")
    empty: nx.DiGraph[int] = nx.DiGraph()
    empty.add_node(0)
    assert from_networkx([empty]).vocabulary.edges == ("<:", ">:")
