"""Every shipped config loads, and trains for two steps."""

from dataclasses import replace
from pathlib import Path

import pytest

from graphs.config import GraphsConfig
from graphs.generic import FAMILIES
from graphs.train import train
from refine_core.config import load
from refine_core.optimisation import Optimisation

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "graphs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_two_steps(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = load(GraphsConfig, path)
    data = replace(config.data, count=8)
    if config.data.source not in FAMILIES:
        rows = ["CCO,0.2,1", "CC(N)=O,0.3,2", "C1CC1O,0.25,3"] * 4
        (tmp_path / "few.csv").write_text("\n".join(["smiles,gap,mu", *rows]) + "\n")
        data = replace(data, source=str(tmp_path / "few.csv"))
    two_steps = Optimisation(epochs=1, batch=2)
    latent = replace(config.model.latent, training=two_steps)
    shorter = replace(config.model, training=two_steps, latent=latent)
    quick = replace(config, data=data, model=shorter)
    model = train(quick, tmp_path, quiet=True)
    assert int(model.sample(3).sizes.min()) >= 1
