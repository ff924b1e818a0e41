"""Reports of molecules: nothing is lost at the end, and files of molecules are scored, too."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from graphs.cli.evaluate import evaluate as command
from graphs.evaluation.html_report import metrics_page, molecule_section
from graphs.evaluation.report import evaluate, markdown
from graphs.metrics import molecules, similarity
from refine_core.app.html import Gallery, KeyFigure
from refine_core.errors import InputError
from tests.graphs.evaluation.untrained import MOLECULES, untrained

COSTS = {"calls", "cpu_ms_per_graph", "mol_stable", "corrected_valid"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, where ChemNet and the like, which take long, are not asked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(molecules, "distribution_metrics", lambda *_: {"fcd": 1.0})
    monkeypatch.setattr(similarity, "diversity", lambda _: (0.5, 0.5))

    class NoSummary:
        fingerprints = None
        mean = np.zeros(2)
        covariance = np.eye(2)

    monkeypatch.setattr(molecules, "summarise", lambda *_: NoSummary())
    return tmp_path


def test_aromatic_models_and_odd_elements_are_measured(folder: Path) -> None:
    model = untrained(Path("aromatic.smi"), MOLECULES[:5], aromatic=True)
    assert "AROMATIC" in model.vocabulary.edges
    report = evaluate(model, Path("out"), count=8)
    assert 0 <= report["mol_stable"] <= 1 and report.keys() >= COSTS
    said: list[str] = []
    evaluate(untrained(Path("own.smi")), Path("out"), count=8, say=said.append)
    stored = json.loads(Path("out/metrics.json").read_text())
    assert stored["mol_stable"] is None and stored["corrected_valid"] is not None
    written = Path("out/REPORT.md").read_text()
    assert "no valence for the atom 'Sn'" in written
    assert "| fcd | 1 | 1 |" in written and "ratio" not in written  # molecules have no ratios
    assert any("'Sn'" in line for line in said)


def test_samples_are_there_if_scoring_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = untrained(Path("own.smi"))

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(molecules, "summarise", fail)
    with pytest.raises(KeyboardInterrupt):
        evaluate(model, Path("out"), count=8)
    found = [text for text in model.smiles(model.sample(8)) if text is not None]
    assert Path("out/samples.smi").read_text().split() == found


def test_a_file_of_molecules_is_scored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    untrained(Path("own.smi")).save(Path("runs/tiny/model.safetensors"))
    Path("mine.smi").write_text("OCC ethanol\nCCCCCCC\n\nC1C\n[C@H](F)(Cl)Br\n")
    command("runs/tiny", samples=Path("mine.smi"), out=Path("out"))
    report = json.loads(Path("out/metrics.json").read_text())
    assert (report["count"], report["valid"], report["unique"]) == (4, 0.75, 1)
    assert report["fcd"] == 1 and not report.keys() & COSTS
    assert "| valid | 0.75 |" in capsys.readouterr().out
    files = {path.name for path in Path("out").iterdir()}
    assert files == {"metrics.json", "REPORT.md", "report.html", "samples.png"}
    page = Path("out/report.html").read_text()
    assert "Of 4 samples <strong>75 %</strong> are valid" in page
    assert page.count('class="card"') == 3
    for name, sentence in {"none.smi": "is not a file", "a.csv": "give a .smi file"}.items():
        with pytest.raises(InputError, match=sentence):
            command("runs/tiny", samples=Path(name))


def test_cards_show_the_nearest_training_molecule() -> None:
    train = ["CCO", "c1ccccc1", "CCCCN"]
    section = molecule_section(["OCC", None, "CCCCCN", "C1C"], train, None, lambda _: None)
    gallery = section.blocks[1]
    assert isinstance(gallery, Gallery)
    known, new = gallery.cards
    assert (known.name, known.note, known.beside) == ("CCO", "A training molecule", None)
    assert known.values["similarity"] == 1 and known.values["rings"] == 0
    assert new.beside is not None and new.beside[1].name == "CCCCN"
    assert 0 < new.values["similarity"] < 1


def test_other_data_than_trained_on_are_refused(folder: Path) -> None:
    model = untrained(Path("own.smi"))
    Path("own.smi").write_text("\n".join(["CCCO", *MOLECULES] * 4))
    with pytest.raises(InputError, match="other graphs now than those the model was trained on"):
        evaluate(model, Path("out"), count=8)


def test_what_is_not_defined_says_so() -> None:
    written = markdown({"fcd": math.nan, "orbit": 0.5, "orbit_train": 0.25, "orbit_ratio": 2.0})
    assert "| fcd | not defined |  |  |" in written and "| orbit | 0.5 | 0.25 | 2 |" in written


def test_the_verdict_of_a_page_has_intervals() -> None:
    found = {"count": 200.0, "valid": 0.9, "unique": 0.5, "novel": 0.8, "fcd": 2.0}
    page = metrics_page("Samples", found, markdown(found), [])
    assert page.verdict == (
        "Of 200 samples **90 %** are valid and **80 %** of the distinct ones are not in the "
        "training set. Their Frechet ChemNet distance to test molecules is **2**."
    )
    intervals = {figure.label: figure.interval for figure in page.figures}
    # 90 of the 200 are valid and distinct, and the share of new ones is of these.
    assert intervals["valid"] == "85.1 to 93.4 %"
    assert intervals["not in the training set"] == KeyFigure.share("", 0.8, 90).interval
    plain = metrics_page("Graphs", {"graphs": 40.0, "vun": 0.5, "ratio": 3.0}, "", [])
    assert "**3 times** those of training graphs" in plain.verdict
    assert [figure.value for figure in plain.figures] == ["50 %", "3"]
