"""`make gpu` from end to end, small and on the CPU; started again it goes on."""

import json
from pathlib import Path

from tests.bench.throughput import SHIPPED
from tests.gpu.run import LARGE, run

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
    assert names == {f"{name.partition('/')[2]}_large" for name in SHIPPED}
