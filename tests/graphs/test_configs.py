"""Every shipped config loads, and trains for two steps."""

from dataclasses import replace
from pathlib import Path

import pytest

from graphs.config import GraphsConfig
from graphs.datasets.random_families import FAMILIES
from graphs.training import train
from refine_core.config.schema import load
from refine_core.training.config import Optimisation

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "graphs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_two_steps(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = load(GraphsConfig, path)
    data = replace(config.data, count=8)
    if config.data.source not in FAMILIES:
        molecules = ["CCO", "CC(N)=O", "C1CC1O", "CCN", "CCC=O", "C1CCC1O", "OCCO", "CC(C)N"]
        rows = [f"{text},{0.2 + 0.01 * k},{k}" for k, text in enumerate(molecules)]
        (tmp_path / "few.csv").write_text("\n".join(["smiles,gap,mu", *rows]) + "\n")
        data = replace(data, source=str(tmp_path / "few.csv"))
    two_steps = Optimisation(epochs=1, batch=2)
    shorter = replace(config.model, training=two_steps)
    quick = replace(config, data=data, model=shorter)
    model = train(quick, tmp_path, quiet=True)
    assert int(model.sample(3).sizes.min()) >= 1
