"""Generic graphs end to end: labels, GraphML by path, contraction inside communities, pictures."""

from pathlib import Path

import networkx as nx
import torch

from graphs import model as trained
from graphs.config import GraphsConfig
from graphs.data.convert_networkx import to_networkx
from graphs.data.graphml import write_graphml
from graphs.datasets.config import DataConfig
from graphs.datasets.load import splits
from graphs.datasets.random_families import random_graphs
from graphs.evaluation.report import evaluate
from graphs.generators.common.coarsening import contract
from graphs.generators.contraction.config import ContractionConfig
from graphs.training import train
from refine_core.noise import Noise
from refine_core.training.config import Optimisation

QUICK = Optimisation(epochs=1, batch=4)


def _rings(folder: Path, count: int = 20) -> Path:
    """Rings of red and blue nodes, alternating, with edges of one label."""
    graphs = []
    for k in range(count):
        ring = nx.cycle_graph(4 + 2 * (k % 3))
        nx.set_node_attributes(ring, {i: ("red", "blue")[i % 2] for i in ring}, "label")
        nx.set_edge_attributes(ring, dict.fromkeys(ring.edges, "SINGLE"), "label")
        graphs.append(ring)
    write_graphml(graphs, folder)
    return folder


def test_labelled_graphs_by_path_are_learnt_and_come_back_with_labels(tmp_path: Path) -> None:
    folder = _rings(tmp_path / "rings")
    config = GraphsConfig(
        name="rings",
        data=DataConfig(source=str(folder)),
        model=ContractionConfig(dim=16, depth=1, heads=2, training=QUICK),
    )
    train(config, tmp_path, quiet=True)
    model = trained.load(tmp_path / "rings")
    assert model.vocabulary.nodes == ("blue", "red") and not model.is_molecular
    drawn = to_networkx(model.sample(5), model.vocabulary)
    for graph in drawn:
        assert {label for _, label in graph.nodes(data="label")} <= {"red", "blue"}
    report = evaluate(model, tmp_path / "out", count=5)
    assert report["train"] == 16 and report["test"] == 2
    assert (tmp_path / "out" / "samples.png").stat().st_size > 1000


def test_a_subset_is_part_of_the_training_graphs() -> None:
    whole = splits(DataConfig(source="tree", count=30))
    some = splits(DataConfig(source="tree", count=30, subset=5))
    assert len(some.train) == 5 and len(some.test) == len(whole.test)
    assert some.train.rows is not None and whole.train.rows is not None
    assert set(some.train.rows.tolist()) < set(whole.train.rows.tolist())


def test_dense_contraction_stays_inside_communities() -> None:
    store = random_graphs("sbm", 4)
    (graphs,) = store[torch.arange(4)]
    name = Noise(0, torch.arange(4)).uniform(0, graphs.nodes.shape[1])

    def mixed(matching: str) -> float:
        """Share of clusters of 8 to 32 nodes that hold more than one community."""
        tree = contract(graphs, name, matching)  # type: ignore[arg-type]
        size = tree.members.sum(2)
        seen, wrong = 0, 0
        for g in range(4):
            blocks = _blocks(graphs.edges[g] > 0, int(graphs.sizes[g]))
            for k in torch.nonzero((size[g] >= 8) & (size[g] <= 32))[:, 0]:
                inside = blocks[tree.members[g, k][: len(blocks)]]
                seen, wrong = seen + 1, wrong + int(len(inside.unique()) > 1)
        return wrong / seen

    assert mixed("dense") < 0.1 < 0.5 < mixed("random")


def _blocks(adjacency: torch.Tensor, n: int) -> torch.Tensor:
    from graphs.metrics.sbm import communities

    return torch.from_numpy(communities(adjacency[:n, :n].numpy()))
