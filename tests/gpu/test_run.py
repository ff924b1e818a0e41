"""`make gpu` from end to end, small and on the CPU; started again it goes on."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from images.data.mnist_archive import FILES_SHA256
from tests.bench.throughput import SHIPPED
from tests.gpu import data
from tests.gpu.run import LARGE, run, weather_config
from weather.data.preparation import prepare
from weather.samples import STATES

MODELS = ("images/mnist", "graphs/qm9", "weather/gcm")
TREE = """
name: tree_large
data: {source: tree, count: 24}
model: {dim: 16, depth: 1, heads: 2, training: {epochs: 3, batch: 4}}
"""
MISSING = "name: far_large\ndata: {source: there_is_none.csv}\n"


def test_a_run_measures_and_trains(tmp_path: Path) -> None:
    folder, out = tmp_path / "configs" / "graphs", tmp_path / "out"
    folder.mkdir(parents=True)
    (folder / "tree_large.yaml").write_text(TREE)
    (folder / "far_large.yaml").write_text(MISSING)
    configs = (folder / "tree_large.yaml", folder / "far_large.yaml")
    settings = {"minutes": 0.1, "count": 2, "size": 64, "tests": False}
    run(out, configs, MODELS, **settings)  # type: ignore[arg-type]
    found = json.loads((out / "results.json").read_text())
    assert [row["model"] for row in found["speed"]] == list(MODELS)
    for row in found["speed"]:
        for what in ("sample", "train"):
            assert 0 < row[f"{what}, 1/s"] and 0 < row[f"{what} limit, 1/s"]
            share = row[f"{what}, 1/s"] / row[f"{what} limit, 1/s"]
            assert abs(row[f"{what} share"] / share - 1) < 1e-6
    assert "| images/mnist |" in (out / "REPORT.md").read_text()
    assert "there_is_none.csv" in found["trained"]["far_large"]
    weights = Path(found["trained"]["tree_large"])
    assert weights == out / "tree_large" / "model.safetensors" and weights.exists()
    length = json.loads((out / "tree_large" / "metrics.json").read_text())[-1]["epoch"]
    weights.unlink()
    run(out, configs[:1], (), **settings)  # type: ignore[arg-type]
    assert weights.exists()
    again = json.loads((out / "tree_large" / "metrics.json").read_text())
    assert again[-1]["epoch"] == length, "a run that goes on keeps its length"


def test_every_shipped_model_has_a_larger_config() -> None:
    names = {path.stem for path in LARGE}
    trained = {*SHIPPED} - {"images/mnist_fast"}  # a student of another
    assert names == {f"{name.partition('/')[2]}_large" for name in trained}


def test_data_are_packed_small_and_read_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [tmp_path / "mnist" / name for name in FILES_SHA256]
    for path in (*sources, tmp_path / "qm9" / "qm9.csv"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(path.name.encode() * 1000)
    monkeypatch.setattr(data, "mnist_folder", lambda: tmp_path / "mnist")
    monkeypatch.setattr(data, "qm9_file", lambda: tmp_path / "qm9" / "qm9.csv")
    folder = tmp_path / "packed"
    assert data.pack(folder) < 50_000
    assert gzip.decompress((folder / "qm9/qm9.csv.gz").read_bytes()) == b"qm9.csv" * 1000
    monkeypatch.setenv("REFINE_CACHE", "another")
    data.use(folder)
    assert os.environ["REFINE_CACHE"] == "another" and not (tmp_path / "packed-unpacked").exists()
    monkeypatch.delenv("REFINE_CACHE")
    data.use(folder)
    cache = Path(os.environ["REFINE_CACHE"])
    assert {path.name for path in (cache / "mnist").iterdir()} == set(FILES_SHA256)
    assert (cache / "mnist" / sources[0].name).read_bytes() == sources[0].read_bytes()
    look = "import sys; sys.path = [p for p in sys.path if 'site-packages' not in p]; "
    look += "from importlib.metadata import version; print(version('refine'))"
    alone = [sys.executable, "-S", "-c", look]
    found = subprocess.run(alone, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True)
    assert found.stdout.strip() == "0.2.0", found.stderr


def test_without_its_own_data_weather_learns_from_the_bundled_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFINE_CACHE", str(tmp_path))
    (large,) = (path for path in LARGE if path.parent.name == "weather")
    monkeypatch.chdir(tmp_path)
    config = weather_config(large)
    assert config.data.source == str(STATES)
    windows = prepare(config.data, quiet=True)
    counts = [len(windows.starts(part)) for part in ("train", "validation", "test")]
    assert counts[0] >= config.mean.training.batch and min(counts) > 0
