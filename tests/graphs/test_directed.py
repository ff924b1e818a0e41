"""Directed graphs: in and out, contracted, learnt, drawn and judged."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

from graphs import model as trained
from graphs.cli.main import main
from graphs.config import GraphsConfig
from graphs.data.batch import GraphBatch
from graphs.data.convert_networkx import from_networkx, to_networkx
from graphs.data.convert_pyg import from_pyg, to_pyg
from graphs.data.graphml import write_graphml
from graphs.data.store import GraphStore, load, save
from graphs.datasets.config import DataConfig
from graphs.datasets.statistics import max_counts
from graphs.evaluation.equivariance import check_equivariance
from graphs.evaluation.report import evaluate
from graphs.generators.common.config import Parallel
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.embed import GraphEmbed
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.kinds import kind_of
from graphs.generators.masked.config import MaskedConfig
from graphs.model import GraphModel
from graphs.training import train
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.training.config import Optimisation

pytest.importorskip("torch_geometric")

SMALL: dict[str, Any] = {"dim": 16, "depth": 1, "heads": 2, "edge_tokens": "none"}
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


def _graphs(labelled: bool) -> "list[nx.DiGraph[int]]":
    graphs = [_random(seed, labelled) for seed in range(12)]
    assert any((b, a) in graph.edges for graph in graphs for a, b in graph.edges)
    return graphs


def _batch(store: GraphStore) -> GraphBatch:
    batch: GraphBatch = store[torch.arange(len(store))][0]
    return batch


def _same(x: "nx.Graph[int]", y: "nx.Graph[int]") -> bool:
    def agree(a: dict[str, str], b: dict[str, str]) -> bool:
        return a.get("label") == b.get("label")

    return bool(x.is_directed() and nx.is_isomorphic(x, y, agree, agree))


def _model(store: GraphStore) -> GraphModel:
    config = GraphsConfig(name="small", model=ContractionConfig(**SMALL))
    statistics = replace(GraphStatistics.of(store), connected=False, valence_limits=None)
    torch.manual_seed(0)
    refiner = kind_of(config.model).build(statistics).eval()
    embed = refiner.embed
    assert isinstance(embed, GraphEmbed) and embed.link is not None
    torch.nn.init.normal_(embed.link.weight)
    return GraphModel(refiner, config, statistics)


@pytest.mark.parametrize("labelled", [False, True])
def test_there_and_back_whatever_the_order_of_nodes(labelled: bool, tmp_path: Path) -> None:
    graphs = _graphs(labelled)
    save(from_networkx(graphs), tmp_path / "store")
    store = load(tmp_path / "store")
    batch = _batch(store)
    order = torch.stack([torch.randperm(6) for _ in graphs])
    for given in (batch, batch.permute(order)):
        for graph, back in zip(graphs, to_networkx(given, store.vocabulary), strict=True):
            assert _same(back, graph)
    pyg = _batch(from_pyg(to_pyg(batch, store.vocabulary)))
    for ours, theirs in zip(batch.edges, pyg.edges, strict=True):
        assert torch.equal(ours > 0, theirs > 0)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("parallel", ["one", "independent"])
def test_codes_decode_to_the_graph(labelled: bool, parallel: Parallel) -> None:
    graphs = _graphs(labelled)
    store = from_networkx(graphs)
    tokens = ContractionTokenizer(store.vocabulary, max_counts(store), parallel, connected=False)
    noise = Noise(3, torch.arange(len(graphs)))
    trace = tokens.trace(tokens.features(_batch(store), noise))
    for graph, back in zip(
        graphs, to_networkx(tokens.finish(trace.states[-1]), store.vocabulary), strict=True
    ):
        assert _same(back, graph)


def test_the_label_of_an_edge_at_a_cluster_does_not_depend_on_which_end_came_first() -> None:
    store = from_networkx(_graphs(True))
    tokens = ContractionTokenizer(store.vocabulary, max_counts(store), connected=False)
    noise = Noise(0, torch.arange(len(store)))
    state = tokens.trace(tokens.features(_batch(store), noise)).states[4]
    assert bool(state.real.any())
    flipped = type(state)(
        **{**vars(state), "ends": state.ends.flip(2), "label": state.label_at[:, :, 1]}
    )
    assert torch.equal(state.outer, flipped.outer)
    assert torch.equal(state.links, flipped.links)
    assert torch.equal(state.links, state.links.transpose(1, 2)[..., store.vocabulary.reverse])


def test_probabilities_of_all_graphs_of_two_nodes_sum_to_one() -> None:
    arc, both = nx.DiGraph([(0, 1)]), nx.DiGraph([(0, 1), (1, 0)])
    apart: nx.DiGraph[int] = nx.DiGraph()
    apart.add_nodes_from(range(2))
    single: nx.DiGraph[int] = nx.DiGraph()
    single.add_node(0)
    store = from_networkx([arc, both, apart, single])
    refiner, total = _model(store).refiner, 0.0
    for k in range(4):
        # An arc is counted by what its end in the first child sees, and either may be the first.
        seen = set()
        for seed in range(12):
            nats = refiner.code_log_prob(store[torch.tensor([k])][0], None, _noise(seed))
            seen.add(round(float(nats.detach().exp().prod()), 7))
        assert len(seen) == (2 if k == 0 else 1)
        total += sum(seen)
    assert total == pytest.approx(1, abs=1e-5)


def _noise(seed: int) -> Noise:
    return Noise(seed, torch.zeros(1, dtype=torch.int64))


def test_no_order_of_nodes_leaks() -> None:
    assert check_equivariance(_model(from_networkx(_graphs(True))), draws=1000)


def test_pyg_graphs_are_directed_if_one_lacks_a_direction() -> None:
    from torch_geometric.data import Data

    both = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2)
    one = Data(edge_index=torch.tensor([[1], [0]]), num_nodes=3)
    store = from_pyg([both, one, Data(num_nodes=1)])
    first, second, third = to_networkx(_batch(store), store.vocabulary)
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
        model=ContractionConfig(**SMALL, training=QUICK),
    )
    train(config, tmp_path / "runs", quiet=True)
    report = evaluate(trained.load("runs/stars"), tmp_path / "out", count=20)
    assert report["graphs"] == 20 and report["acyclic_train"] == 1
    assert (tmp_path / "out" / "samples.png").stat().st_size > 1000
    main(["sample", "--model", "runs/stars", "--count", "20", "--out", "drawn.graphml"])
    assert all(nx.read_graphml(path).is_directed() for path in Path("drawn.graphml").iterdir())
    main(["describe", "--source", "stars"])
    assert "directed" in capsys.readouterr().out


def test_what_cannot_be_is_refused() -> None:
    store = from_networkx(_graphs(False))
    statistics = GraphStatistics.of(store)
    for config in (MaskedConfig(), ExpansionConfig()):
        with pytest.raises(InputError, match="takes no directed graphs: set `model.kind`"):
            kind_of(config).build(statistics)
    with pytest.raises(InputError, match="edge_tokens 'all' takes no directed graphs"):
        kind_of(ContractionConfig()).build(statistics)
    with pytest.raises(InputError, match="Directed graphs take no scaffolds"):
        _model(store).sample(2, scaffold=_batch(store)[:1])
