"""The commands that choose settings, as a user types them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import images.evaluation.classifier as classifier
from images.config import SamplingConfig
from images.model import load
from images.tuning.config import MethodArm, MethodsConfig, SearchConfig
from refine_core.app.cli import main
from refine_core.config.schema import dump
from refine_core.storage.files import write_text
from tests.images.tiny import CONFIG, IMAGES
from tests.images.tuning.test_comparison import SMALL, Stripes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with images, judged by someone who knows stripes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(classifier, "load_evaluator", lambda _=None: Stripes())
    arrays = {
        "x_train": IMAGES.train.images,
        "y_train": IMAGES.train.labels,
        "x_test": IMAGES.test.images,
        "y_test": IMAGES.test.labels,
    }
    np.savez("data.npz", **{k: np.asarray(v) for k, v in arrays.items()})  # type: ignore[arg-type]
    return tmp_path


def test_methods_writes_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arms = (MethodArm("off"), MethodArm("away", {"generator.methods": ["autoguidance"]}))
    base = replace(SMALL.base, data=Path("data.npz"))
    config = MethodsConfig(base=base, arms=arms, seeds=(0,), samples=16, workers=1)
    write_text("methods.yaml", dump(config))
    main(["images", "methods", "--config", "methods.yaml", "--out", "table"])
    said = capsys.readouterr().out
    assert "| off |" in said and "| away |" in said
    assert (folder / "table/REPORT.md").read_text().count("| away |") == 1


def test_search_writes_the_best(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = replace(CONFIG, data=Path("data.npz"), sampling=SamplingConfig())
    config = SearchConfig(
        base=base,
        space={"sampling.guidance": ([0.0], [1.0])},
        trials=2,
        fidelities=(16,),
        accuracy=0.0,
    )
    write_text("search.yaml", dump(config))
    main(["images", "search", "--config", "search.yaml", "--out", "found"])
    assert "found/best.yaml: score" in capsys.readouterr().out
    assert load(folder / "found/model.safetensors").sample(1).shape == (1, 1, 11, 12)


def test_calibrate_needs_held_out_images(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text("tiny.yaml", dump(replace(CONFIG, data=Path("data.npz"))))
    for holdout in ("0", "32"):
        main(["images", "train", "--config", "tiny.yaml", "--holdout", holdout, "--name", holdout])
    argv = ["images", "calibrate", "--source", "data.npz", "--out", "made.safetensors"]
    main([*argv, "--model", "runs/32", "--coverage", "0.9"])
    made = load(folder / "made.safetensors")
    assert "made.safetensors: temperature (" in capsys.readouterr().out
    assert len(made.config.sampling.temperature) == len(made.schedule)
    assert torch.isfinite(made.sample(2)).all()
    with pytest.raises(SystemExit):
        main([*argv, "--model", "runs/0"])
    said = capsys.readouterr().err
    assert "none are left to calibrate on: train it with `--holdout 5000`" in said
