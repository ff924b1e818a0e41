"""The curve of quality against network calls, on models that have learnt nothing."""

import json
from pathlib import Path

import pytest

from graphs import model as trained
from graphs.chem import ParseOptions, collect_molecules
from graphs.cli.main import main as command
from graphs.datasets.splits import Splits
from graphs.evaluation.call_curve import CurvePoint, Scorer, Scores, compare_models, plot_calls
from refine_core.errors import InputError
from tests.graphs.evaluation.untrained import untrained

MOLECULES = ["CCO", "c1ccccc1", "CC(N)=O", "N#CC1CC1O", "CC#N", "C=CCO", "CCF", "CCCO"]


def test_models_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    models = [
        ("a", untrained(tmp_path / "few.smi", MOLECULES)),
        ("b", untrained(tmp_path / "few.smi", MOLECULES, "masked")),
    ]
    out = tmp_path / "out"
    points = compare_models(models, out, calls=(4,), count=6)
    assert [point.sampling for point in points] == ["", "as trained", "4 calls"]
    last = points[-1]
    assert (
        last.calls is not None
        and last.calls >= 4
        and last.model == "b"
        and 0 <= last.scores.valid <= 1
    )
    assert json.loads((out / "calls.json").read_text()) == [point.row() for point in points]
    report = (out / "CALLS.md").read_text()
    assert report.count("\n") == len(points) + 2 and "FCD to validation" in report
    assert (out / "calls.png").stat().st_size > 10_000


def test_test_molecules_play_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    for molecule in ("CCO", "CCN", "CCF"):
        parts.append(collect_molecules([molecule], ParseOptions(), workers=1, quiet=True).store)
    monkeypatch.setattr(
        "graphs.evaluation.call_curve.load_splits", lambda *_, **__: Splits(*parts)
    )
    given: list[list[str]] = []
    monkeypatch.setattr("graphs.metrics.summary.summarise", lambda some, *_: given.append(some))
    scorer = Scorer(trained.load("qm9"), 1, lambda _: None)
    assert scorer.train == ["CCO"] and given == [["CCN"]]


def test_a_point_without_valid_molecules_leaves_a_gap(tmp_path: Path) -> None:
    points = [
        CurvePoint("a", "", Scores(0.0, 0.0, 0.0, 0.0, distance), temperature=1.0, calls=calls)
        for calls, distance in ((4, None), (8, 2.0))
    ]
    plot_calls(points, tmp_path / "calls.png")
    assert (tmp_path / "calls.png").exists()


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Found --count 0, expected"):
        command(["compare", "--models", "qm9", "--count", "0", "--out", str(tmp_path)])
    with pytest.raises(InputError, match="There is no model"):
        command(["compare", "--models", "qm8", "--out", str(tmp_path)])


def test_all_training_molecules_stand_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = Scorer.__new__(Scorer)
    scorer.train, scorer.count = ["CCO", "CCN"], 5
    seen: list[list[str]] = []
    monkeypatch.setattr(scorer, "scores", seen.append)
    scorer.training_scores()
    assert seen == [["CCO", "CCN"]]
