"""The curve of quality against network calls, on a model that has barely learnt."""

import json
from pathlib import Path

import pytest

from graphs import model as trained
from graphs.chem import ParseOptions, collect_molecules
from graphs.cli.main import main as command
from graphs.config import DataConfig, GraphsConfig, ModelConfig
from graphs.datasets.splits import Splits
from graphs.evaluation.call_curve import Judge, compare, plot_calls
from graphs.evaluation.network_calls import Counter, ways
from graphs.model import GraphModel
from graphs.train import train
from refine_core.errors import InputError
from refine_core.training.config import Optimisation

MOLECULES = ["CCO", "c1ccccc1", "CC(N)=O", "N#CC1CC1O", "CC#N", "C=CCO", "CCF", "CCCO"]


def made(kind: str, folder: Path) -> GraphModel:
    (folder / "few.smi").write_text("\n".join(MOLECULES * 8) + "\n")
    opt = Optimisation(epochs=1, batch=16)
    settings = ModelConfig(kind=kind, dim=16, depth=1, heads=2, training=opt)  # type: ignore[arg-type]
    config = GraphsConfig(kind, 0, DataConfig(str(folder / "few.smi")), settings)
    return train(config, folder / "runs", quiet=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_calls_are_counted_as_asked_for(folder: Path) -> None:
    model = made("masked", folder)
    for number in (4, 7):
        with Counter(model) as counter:
            model.sample(10, calls=number, batch=4)
        assert counter.made == 3 * number and counter.a_batch(10, 4) == number
    assert [way.options["calls"] for way in ways(model, (16, 3, 4))] == [3, 4, 16]


def test_a_contraction_calls_less_often_where_neighbours_split_at_once() -> None:
    model = trained.load("qm9")
    counted = []
    for way in ways(model, (4, 16)):
        with Counter(model) as counter:
            model.sample(100, batch=100, **way.options)
        counted.append(counter.made)
    assert counted[0] < counted[1] <= 10 and len(counted) == 2


def test_models_are_compared(folder: Path) -> None:
    models = [(kind, made(kind, folder)) for kind in ("contraction", "masked")]
    rows = compare(models, folder / "out", calls=(4,), parallel=("one", "all"), count=9)
    assert [row["way"] for row in rows[:3]] == ["floor", "one", "all"]
    assert rows[-1]["calls"] == 4 and rows[-1]["model"] == "masked" and 0 <= rows[-1]["valid"] <= 1
    assert json.loads((folder / "out" / "calls.json").read_text()) == rows
    assert (folder / "out" / "CALLS.md").read_text().count("\n") == len(rows) + 2
    assert (folder / "out" / "calls.png").stat().st_size > 10_000
    assert "FCD to validation" in (folder / "out" / "CALLS.md").read_text()


def test_test_molecules_play_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    for molecule in ("CCO", "CCN", "CCF"):
        parts.append(collect_molecules([molecule], ParseOptions(), workers=1, quiet=True).store)
    monkeypatch.setattr("graphs.evaluation.call_curve.splits", lambda *_, **__: Splits(*parts))
    given: list[list[str]] = []
    monkeypatch.setattr("graphs.metrics.summary.summarise", lambda some, *_: given.append(some))
    judge = Judge(trained.load("qm9"), 1, lambda _: None)
    assert judge.train == ["CCO"] and given == [["CCN"]]


def test_what_was_never_valid_leaves_a_gap(tmp_path: Path) -> None:
    row = {
        "model": "a",
        "temperature": 1.0,
        "connected": 0.0,
        "valid": 0.0,
        "unique": 0.0,
        "fcd": None,
    }
    plot_calls([row | {"calls": 4}, row | {"calls": 8, "fcd": 2.0}], tmp_path / "calls.png")
    assert (tmp_path / "calls.png").exists()


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Found --count 0, expected"):
        command(["compare", "--models", "qm9", "--count", "0", "--out", str(tmp_path)])
    with pytest.raises(InputError, match="There is no model"):
        command(["compare", "--models", "qm8", "--out", str(tmp_path)])
