"""Reports of molecules: nothing is lost at the end, and lists of others are scored, too."""

import json
from pathlib import Path
from typing import Any

import pytest

from graphs.cli.evaluate import evaluate as command
from graphs.config import DataConfig, GraphsConfig, ModelConfig
from graphs.evaluation.measurement import evaluate
from graphs.metrics import molecules, similarity
from graphs.model import GraphModel
from graphs.train import train
from refine_core.errors import InputError
from refine_core.training.config import Optimisation

MOLECULES = ["CCO", "c1cc[nH]c1", "CC(N)=O", "CC#N", "c1ccccc1", "C[Sn](C)(C)C"]
COSTS = {"calls", "cpu_ms_per_graph", "mol_stable", "corrected_valid"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one, where ChemNet and the like are not asked, for that takes long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(molecules, "compare", lambda *_: {"fcd": 1.0})
    monkeypatch.setattr(similarity, "diversity", lambda _: (0.5, 0.5))

    class Nothing:
        fingerprints = None

    monkeypatch.setattr(molecules, "summarise", lambda *_: Nothing())
    return tmp_path


def made(texts: list[str], aromatic: bool = False) -> GraphModel:
    Path("own.smi").write_text("\n".join(texts * 4))
    settings = ModelConfig(dim=16, depth=1, heads=2, training=Optimisation(epochs=1, batch=8))
    data = DataConfig("own.smi", aromatic=aromatic)
    return train(GraphsConfig(f"tiny{len(texts)}", 0, data, settings), Path("runs"), quiet=True)


def test_aromatic_models_and_odd_elements_are_measured(folder: Path) -> None:
    model = made(MOLECULES[:5], aromatic=True)
    assert "AROMATIC" in model.vocabulary.edges
    report = evaluate(model, Path("out"), count=20)
    assert 0 <= report["mol_stable"] <= 1 and report.keys() >= COSTS
    said: list[str] = []
    evaluate(made(MOLECULES), Path("out"), count=20, say=said.append)
    stored = json.loads(Path("out/metrics.json").read_text())
    assert stored["mol_stable"] is None and stored["corrected_valid"] is not None
    assert "no valence for the atom 'Sn'" in Path("out/REPORT.md").read_text()
    assert any("'Sn'" in each for each in said)


def test_samples_are_there_if_scoring_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(MOLECULES)

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(molecules, "summarise", fail)
    with pytest.raises(KeyboardInterrupt):
        evaluate(model, Path("out"), count=40)
    found = [text for text in model.smiles(model.sample(40)) if text is not None]
    assert Path("out/samples.smi").read_text().split() == found


def test_a_list_is_scored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(MOLECULES)
    Path("mine.smi").write_text("OCC ethanol\nCCCCCCC\n\nC1C\n[C@H](F)(Cl)Br\n")
    command("runs/tiny6", samples=Path("mine.smi"), out=Path("out"))
    report = json.loads(Path("out/metrics.json").read_text())
    assert (report["count"], report["valid"], report["unique"]) == (4, 0.75, 1)
    assert report["fcd"] == 1 and not report.keys() & COSTS
    assert "| valid | 0.75 |" in capsys.readouterr().out
    made_here = {path.name for path in Path("out").iterdir()}
    assert made_here == {"metrics.json", "REPORT.md", "samples.png"}
    for name, sentence in {"none.smi": "is not a file", "a.csv": "give a .smi file"}.items():
        with pytest.raises(InputError, match=sentence):
            command("runs/tiny6", samples=Path(name))


def test_other_data_than_learnt_from_are_refused(folder: Path) -> None:
    model = made(MOLECULES)
    Path("own.smi").write_text("\n".join(["CCCO", *MOLECULES] * 4))
    with pytest.raises(InputError, match="other graphs now than those the model was trained on"):
        evaluate(model, Path("out"), count=20)
