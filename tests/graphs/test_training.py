"""Training from a config: every shipped one, own graphs, and a run that goes on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import graphs
from graphs.cli.main import main
from graphs.config import GraphsConfig
from graphs.data.convert_networkx import from_networkx, to_networkx
from graphs.data.graphml import write_graphml
from graphs.datasets.config import DataConfig
from graphs.datasets.random_families import FAMILIES
from graphs.evaluation.report import evaluate
from graphs.generators.config import ModelConfig
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.masked.config import MaskedConfig
from graphs.training import train
from refine_core.config.schema import load
from refine_core.errors import InputError
from refine_core.training.config import Optimisation
from tests.graphs.tiny import equal

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "graphs").glob("*.yaml"))
LARGE = {True: [pytest.mark.slow], False: []}
SMALL: dict[str, Any] = {"dim": 16, "depth": 1, "heads": 2}
SMALL["training"] = Optimisation(epochs=1, batch=4)
MODELS: list[ModelConfig] = [
    ContractionConfig(**SMALL),
    ExpansionConfig(**SMALL),
    MaskedConfig(**SMALL),
]
MOLECULES = ["CCO", "CC(N)=O", "C1CC1O", "CCN", "CCC=O", "C1CCC1O", "OCCO", "CC(C)N"]


@pytest.mark.parametrize(
    "path", [pytest.param(p, marks=LARGE["large" in p.stem], id=p.stem) for p in CONFIGS]
)
def test_shipped_configs_train_for_two_steps(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = load(GraphsConfig, path)
    data = replace(config.data, count=8, subset=None)
    if config.data.source not in FAMILIES:
        rows = [f"{text},{0.2 + 0.01 * k},{k}" for k, text in enumerate(MOLECULES)]
        (tmp_path / "few.csv").write_text("\n".join(["smiles,gap,mu", *rows]) + "\n")
        data = replace(data, source=str(tmp_path / "few.csv"))
    shorter = replace(config.model, training=Optimisation(epochs=1, batch=2))
    model = train(replace(config, data=data, model=shorter), tmp_path, quiet=True)
    assert model.energy is None  # eight molecules are too few
    assert int(model.sample(3).sizes.min()) >= 1


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.kind)
def test_graphs_in_memory_are_trained_on_and_a_run_goes_on(
    model: ModelConfig, tmp_path: Path
) -> None:
    many = [nx.path_graph(n) if n % 2 else nx.cycle_graph(n) for n in range(3, 9)] * 4
    config = graphs.GraphsConfig(name="n", model=model)
    first = graphs.train(config, tmp_path, store=graphs.from_networkx(many), quiet=True)
    again = graphs.train(config, tmp_path, store=graphs.from_networkx(many), quiet=True)
    assert equal(first.sample(10), again.sample(10))
    with pytest.raises(InputError, match="on other data"):
        graphs.train(config, tmp_path, store=graphs.from_networkx(many[1:]), quiet=True)


def test_numbers_among_the_attributes_of_graphs_are_properties(tmp_path: Path) -> None:
    many = [nx.path_graph(n) if n % 2 else nx.cycle_graph(n) for n in range(3, 9)] * 4
    for graph in many:
        graph.graph["rings"] = 1.0 - len(graph) % 2
    data = DataConfig(properties=("rings",))
    config = GraphsConfig(name="n", model=MODELS[0], data=data)
    model = train(config, tmp_path, store=from_networkx(many), quiet=True)
    assert int(model.sample(4, where={"rings": 1.0}).sizes.min()) > 0


@pytest.mark.parametrize("model", MODELS[1:], ids=lambda m: m.kind)
def test_graphs_of_one_node_are_trained_on(model: ModelConfig, tmp_path: Path) -> None:
    single: nx.Graph[int] = nx.empty_graph(1)
    store = from_networkx([single] * 12 + [nx.path_graph(2)] * 2)
    config = GraphsConfig(name="n", model=replace(model, training=Optimisation(1, batch=2)))
    made = train(config, tmp_path, store=store, quiet=True)
    assert set(made.sample(20).sizes.tolist()) <= {1, 2}


def test_labelled_graphs_by_path_come_back_with_labels(tmp_path: Path) -> None:
    rings = []
    for k in range(20):
        ring = nx.cycle_graph(4 + 2 * (k % 3))
        nx.set_node_attributes(ring, {i: ("red", "blue")[i % 2] for i in ring}, "label")
        nx.set_edge_attributes(ring, dict.fromkeys(ring.edges, "SINGLE"), "label")
        rings.append(ring)
    write_graphml(rings, tmp_path / "rings")
    data = DataConfig(source=str(tmp_path / "rings"))
    train(GraphsConfig(name="rings", data=data, model=MODELS[0]), tmp_path, quiet=True)
    model = graphs.load(tmp_path / "rings")
    assert model.vocabulary.nodes == ("blue", "red") and not model.is_molecular
    for graph in to_networkx(model.sample(5), model.vocabulary):
        assert {label for _, label in graph.nodes(data="label")} <= {"red", "blue"}
    report = evaluate(model, tmp_path / "out", count=5)
    assert report["train"] == 16 and report["test"] == 2
    assert (tmp_path / "out" / "samples.png").stat().st_size > 1000


def test_directed_graphs_by_path_are_trained_on_sampled_and_measured(
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
        model=ContractionConfig(**SMALL, edge_tokens="none"),
    )
    train(config, tmp_path / "runs", quiet=True)
    report = evaluate(graphs.load("runs/stars"), tmp_path / "out", count=20)
    assert report["graphs"] == 20 and report["acyclic_train"] == 1
    assert (tmp_path / "out" / "samples.png").stat().st_size > 1000
    main(["sample", "--model", "runs/stars", "--count", "20", "--out", "drawn.graphml"])
    assert all(nx.read_graphml(path).is_directed() for path in Path("drawn.graphml").iterdir())
    main(["describe", "--source", "stars"])
    assert "directed" in capsys.readouterr().out


def test_molecules_of_a_run_are_kept(tmp_path: Path) -> None:
    network = ContractionConfig(dim=16, depth=1, heads=2, training=Optimisation(epochs=1, batch=4))
    config = GraphsConfig(name="own", model=network)
    train(config, tmp_path, smiles=["C" * n for n in range(1, 9)], quiet=True)
    listed = (tmp_path / "own/molecules.smi").read_text()
    with pytest.raises(InputError, match="holds a run on other molecules: choose another name"):
        train(config, tmp_path, smiles=["CCO", "CCN", "CCF"], quiet=True)
    assert (tmp_path / "own/molecules.smi").read_text() == listed
    train(config, tmp_path, smiles=listed.split(), quiet=True)  # goes on
