"""A generator of molecules end to end on a few of them: train, save, load, sample."""

from pathlib import Path

import pytest
import torch

from graphs import model as trained
from graphs.config import GraphsConfig
from graphs.data.batch import GraphBatch
from graphs.datasets.config import DataConfig
from graphs.datasets.properties import Properties
from graphs.evaluation.equivariance import check_equivariance
from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.split.head import SplitHead
from graphs.model import GraphModel
from graphs.training import train
from refine_core.app.progress import Progress
from refine_core.errors import InputError
from refine_core.training.config import Optimisation

MOLECULES = [
    "CCO",
    "c1ccccc1",
    "CC(N)=O",
    "N#CC1CC1O",
    "C[NH2+]CC([O-])=O",
    "CC#N",
    "C=CCO",
    "CCF",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With molecules.csv, of which `length` is a property."""
    folder = tmp_path_factory.mktemp("graphs")
    rows = [f"{text},{len(text)}" for text in MOLECULES * 8]
    (folder / "molecules.csv").write_text("\n".join(["smiles,length", *rows]) + "\n")
    return folder


def settings(folder: Path) -> GraphsConfig:
    return GraphsConfig(
        name="tiny",
        data=DataConfig(source=str(folder / "molecules.csv"), properties=("length",)),
        model=ContractionConfig(
            dim=16, depth=1, heads=2, training=Optimisation(epochs=2, batch=16)
        ),
    )


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> GraphModel:
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    made = train(settings(folder), tmp_path_factory.mktemp("runs"), quiet=True)
    patch.undo()
    return made


def equal(a: GraphBatch, b: GraphBatch) -> bool:
    return all(torch.equal(x, y) for x, y in ((a.nodes, b.nodes), (a.edges, b.edges)))


def test_saved_model_is_the_same(model: GraphModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors", half=False)
    again = trained.load(tmp_path)
    assert again.config == model.config
    assert again.statistics == model.statistics and again.properties == model.properties
    assert equal(again.sample(20, seed=1), model.sample(20, seed=1))


def test_samples_depend_on_seed_and_place_only(model: GraphModel) -> None:
    whole = model.sample(30, seed=3)
    assert equal(whole, model.sample(30, seed=3, batch=7))
    assert not equal(whole, model.sample(30, seed=4))


def test_no_node_exceeds_what_its_label_had(model: GraphModel) -> None:
    limits, head = model.statistics.valence_limits, model.refiner.head
    assert limits is not None and isinstance(head, SplitHead)
    of_label = dict(zip(model.vocabulary.nodes, limits.capacity, strict=True))
    assert of_label["C"] == 8 and of_label["O"] == 4  # twice the valence: benzene's carbon, C=O
    weight, capacity = torch.tensor((0, *limits.weight)), torch.tensor(limits.capacity)

    def exceeding() -> float:
        """Share of samples with a node that exceeds its limit."""
        graphs = model.sample(200, seed=0)
        return float((weight[graphs.edges].sum(2) > capacity[graphs.nodes]).any(1).float().mean())

    limited = exceeding()
    head.valence_limits = None
    free = exceeding()
    head.valence_limits = limits
    assert limited < 0.5 * free


def test_valence_limits_are_the_largest_totals_of_training() -> None:
    edges = torch.zeros(1, 3, 3).long()
    edges[0, 0, 1] = edges[0, 1, 0] = 2
    edges[0, 1, 2] = edges[0, 2, 1] = 1
    batch = GraphBatch(torch.tensor([[0, 1, 0]]), edges, torch.ones(1, 3).bool())
    from graphs.data.batch import Vocabulary

    found = ValenceLimits.of([batch], Vocabulary(("C", "N"), ("SINGLE", "DOUBLE")))
    assert found.capacity == (4, 6) and found.weight == (2, 4)


def test_a_draw_says_how_far_it_has_come(
    model: GraphModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(Progress, "update", lambda self, done: seen.append(done))
    model.sample(10, batch=4)
    assert seen == [4, 8, 10]


def test_properties_are_asked_for_by_name(model: GraphModel) -> None:
    assert len(model.sample(10, where={"length": 8.0}, guidance=1.0)) == 10
    graphs = model.sample(5)
    short, long = (
        model.code_log_prob(graphs, context=model.properties.request({"length": value}, 5))
        for value in (3.0, 17.0)
    )
    assert not torch.equal(short, long)
    with pytest.raises(InputError, match="only on length.*mean 'length'"):
        model.sample(1, where={"lenght": 8.0})


def test_unknown_and_constant_properties_are_refused(folder: Path) -> None:
    from graphs.datasets.molecules import read_splits

    parts = read_splits(folder / "molecules.csv", cache=folder / "cache", quiet=True)
    with pytest.raises(InputError, match="no property 'size'"):
        Properties.of(parts.train, ("size",))


def test_a_bound_on_the_likelihood_averages_over_trees(model: GraphModel) -> None:
    graphs = model.sample(5, seed=2)
    one = torch.stack([model.code_log_prob(graphs, seed=s) for s in range(40)])
    assert torch.allclose(model.code_log_prob(graphs, draws=40), one.mean(0), atol=4.0)
    assert one.std(0).max() > 0


def test_no_order_leaks(model: GraphModel, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_equivariance(model, draws=1000)
    assert capsys.readouterr().out.count("pass") == 3


def test_a_missing_model_is_named() -> None:
    with pytest.raises(InputError, match="There is no model 'qm8'"):
        trained.load("qm8")
