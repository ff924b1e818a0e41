"""Directed graphs: to incidence graphs and back, learnt, drawn and judged."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch

from graphs import trained
from graphs.cli import main
from graphs.config import DataConfig, GraphsConfig, ModelConfig
from graphs.convert import from_networkx, from_pyg
from graphs.directed import is_directed, to_digraphs
from graphs.evaluate import evaluate
from graphs.graph import GraphBatch
from graphs.graphml import write_graphml
from graphs.metrics.directed import evaluate_digraphs
from graphs.store import GraphStore
from graphs.train import train
from refine_core.errors import InputError
from refine_core.optimisation import Optimisation

QUICK = Optimisation(epochs=1, batch=4)


def _random(seed: int, labelled: bool) -> "nx.DiGraph[int]":
    rng = np.random.default_rng(seed)
    graph: nx.DiGraph[int] = nx.gnp_random_graph(6, 0.3, seed=seed, directed=True)
    if labelled:
        for node in graph:
            graph.nodes[node]["label"] = str(rng.integers(2))
        for a, b in graph.edges:
            graph.edges[a, b]["label"] = "xy"[rng.integers(2)]
    return graph


def _batch(store: GraphStore) -> GraphBatch:
    batch: GraphBatch = store[torch.arange(len(store))][0]
    return batch


def _agree(x: dict[str, str], y: dict[str, str]) -> bool:
    return x.get("label") == y.get("label")


@pytest.mark.parametrize("labelled", [False, True])
def test_there_and_back_whatever_the_order_of_nodes(labelled: bool) -> None:
    graphs = [_random(seed, labelled) for seed in range(8)]
    graphs = [graph for graph in graphs if graph.number_of_edges()]
    store = from_networkx(graphs)
    batch = _batch(store)
    assert is_directed(store.vocabulary)
    order = torch.stack([torch.randperm(batch.nodes.shape[1]) for _ in graphs])
    for given in (batch, batch.permute(order)):
        for graph, back in zip(graphs, to_digraphs(given, store.vocabulary), strict=True):
            assert back is not None
            assert nx.is_isomorphic(graph, back, _agree, _agree)


def test_pyg_graphs_are_directed_if_one_lacks_a_direction() -> None:
    from torch_geometric.data import Data

    both = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2)
    one = Data(edge_index=torch.tensor([[1], [0]]), num_nodes=3)
    store = from_pyg([both, one, Data(num_nodes=1)])
    first, second, third = to_digraphs(_batch(store), store.vocabulary)
    assert first is not None and set(first.edges) == {(0, 1), (1, 0)}
    assert second is not None and set(second.edges) == {(1, 0)} and len(second) == 3
    assert third is not None and len(third) == 1
    assert not is_directed(from_pyg([both]).vocabulary)


def test_what_is_no_directed_graph_reads_as_none() -> None:
    store = from_networkx([nx.DiGraph([(0, 1), (1, 2)])])
    batch, names = _batch(store), store.vocabulary.edges
    tail, head = names.index("tail") + 1, names.index("head") + 1
    for arc, node, label in [
        (3, 0, 0),  # no tail
        (3, 0, head),  # two heads
        (3, 2, tail),  # two tails
        (3, 4, head),  # two arcs joined
        (0, 1, tail),  # two nodes joined
    ]:
        edges = batch.edges.clone()
        edges[0, arc, node] = edges[0, node, arc] = label
        broken = GraphBatch(batch.nodes, edges, batch.valid)
        assert to_digraphs(broken, store.vocabulary) == [None]


def test_directed_graphs_by_path_are_learnt_drawn_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    stars = [
        nx.DiGraph([(0, k) for k in range(1, 4)] + [(k, 4) for k in range(1, 2 + n % 3)])
        for n in range(20)
    ]
    write_graphml(stars, tmp_path / "stars")
    config = GraphsConfig(
        name="stars",
        data=DataConfig(source=str(tmp_path / "stars")),
        model=ModelConfig(dim=16, depth=1, heads=2, training=QUICK),
    )
    train(config, tmp_path / "runs", quiet=True)
    model = trained.load(tmp_path / "runs" / "stars")
    # The training graphs themselves stand in for draws of a model that has learnt them.
    monkeypatch.setattr(type(model), "sample", lambda self, *_, **__: _batch(from_networkx(stars)))
    report = evaluate(model, tmp_path / "out", count=20)
    assert report["valid"] == 1 and report["acyclic"] == 1
    assert report["unique"] == 3 / 20
    assert report["in_degree_ratio"] < 2
    assert (tmp_path / "out" / "samples.png").stat().st_size > 1000
    main(["sample", "--model", "runs/stars", "--count", "20", "--out", "drawn.graphml"])
    assert all(nx.read_graphml(path).is_directed() for path in Path("drawn.graphml").iterdir())
    main(["describe", "--source", "stars"])
    assert "directed" in capsys.readouterr().out


def test_direction_and_labels_count_as_different() -> None:
    away, towards = nx.DiGraph([(0, 1), (0, 2)]), nx.DiGraph([(1, 0), (2, 0)])
    named = nx.DiGraph([(0, 1), (0, 2)])
    named.nodes[0]["label"] = "root"
    report = evaluate_digraphs([away, towards, named, None], [away], [towards])
    assert report["unique"] == 0.75 and report["novel"] == 0.5 and report["vun"] == 0.5
    assert report["valid"] == 0.75 and report["acyclic"] == 1
    with pytest.raises(InputError, match="Found 0 directed graphs among 1"):
        evaluate_digraphs([None], [away], [towards])
