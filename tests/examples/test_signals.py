"""A domain of one's own, as a package outside of this one: installed, trained, sampled, scored."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The example installed beside what is installed here."""
    place = tmp_path_factory.mktemp("signals")
    shutil.copytree(ROOT / "examples" / "signals", place / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    options = ["--disable-pip-version-check", "--target", str(place / "site")]
    subprocess.run([*pip, *options, str(place / "source")], check=True)
    paths = os.pathsep.join([str(place / "site"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def refine(
    words: str, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "refine_core.app.cli", *words.split()]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_train_sample_score(tmp_path: Path, environment: dict[str, str]) -> None:
    few = "--count 300 --tokenizer.epochs 2 --generator.epochs 2 --generator.batch 64"
    trained = refine(f"signals train --name tiny {few}", tmp_path, environment)
    assert trained.returncode == 0, trained.stderr
    assert "model: runs/tiny/model.safetensors" in trained.stdout
    drawn = refine("signals sample --model runs/tiny --label saw --count 3", tmp_path, environment)
    rows = [[float(word) for word in row.split()] for row in drawn.stdout.splitlines()]
    assert [len(row) for row in rows] == [64, 64, 64]
    scored = refine("signals score --model runs/tiny --count 20", tmp_path, environment)
    assert float(scored.stdout.split()[0]) < 0
    wrong = refine("signals sample --model runs/tiny --label cosine", tmp_path, environment)
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr


def test_it_is_short() -> None:
    files = (ROOT / "examples" / "signals" / "signals").glob("*.py")
    assert sum(len(file.read_text().splitlines()) for file in files) <= 150
