"""The forecast models that the benchmark times are those that ship."""

import pytest

from refine_core.config.schema import load
from tests.bench import weather as bench
from weather.config import WeatherConfig
from weather.model import load as load_model

TOKENS = (8, 16)


def test_the_timed_model_is_as_large_as_the_shipped_one() -> None:
    shipped = load_model("gcm").forecaster
    config = load(WeatherConfig, bench.FOLDER / "gcm.yaml")
    timed = bench.forecaster(config, bench.grid("32x64"), TOKENS)
    shapes = [{name: p.shape for name, p in each.named_parameters()} for each in (shipped, timed)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("config", ["gcm", "diffusion", "deterministic"])
def test_every_timed_step_runs(config: str) -> None:
    state, waves = bench.step(config, "32x64", TOKENS)()
    assert state.shape[2:] == (32, 64) and waves.shape[-1] == 33
