"""Every shipped config loads and makes a model that rolls out; numbers have ranges."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from refine_core.config.schema import from_dict, load
from refine_core.errors import InputError
from weather.config import WeatherConfig
from weather.fields.grid import Grid
from weather.forecaster.build import build_untrained
from weather.model import WeatherModel

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "weather").glob("*.yaml"))
SIMULATED = Grid(-87.1875 + 5.625 * np.arange(32), np.arange(64) * 5.625)
GRIDS = {
    "era5_djf_2p5deg.zarr": Grid(np.linspace(-90, 90, 73), np.arange(144) * 2.5),
    "gcm20.zarr": SIMULATED,
    "unseen.zarr": SIMULATED,
}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_a_config_makes_a_model_that_rolls_out(path: Path) -> None:
    config = load(WeatherConfig, path)
    data, grid = config.data, GRIDS[config.data.source]
    head = replace(config.head, levels=3)  # for speed
    forecaster = build_untrained(data, config.mean, head, grid, len(data.static)).eval()
    forecaster.get_buffer("scale").fill_(0.01)  # residuals of untrained networks may be large
    count, none = len(data.channels), torch.zeros(0)
    one = torch.ones(count)
    model = WeatherModel(forecaster, config, grid, torch.zeros(count), one, none, none)
    past = torch.zeros(data.history, len(data.state_channels), *grid.shape)
    (state,) = model.rollout(past, "2000-01-01", members=1, steps=1)
    assert state.values.shape == (1, count, *grid.shape)
    if config.head.kind == "refine":
        assert config.head.tokenizer.sizes[-1] == config.mean.grid


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("name", "../elsewhere", "the plain name of a folder"),
        ("data.step_hours", 0, "a whole number above 0"),
        ("data.history", 0, "a whole number above 0"),
        ("data.levels.0", -500, "a whole number above 0"),
        ("data.gap_days", -1, "a whole number of at least 0"),
        ("mean.dim", 0, "a whole number above 0"),
        ("mean.depth", -1, "a whole number above 0"),
        ("mean.grid.1", 0, "a whole number above 0"),
        ("mean.dropout", 1.0, "a number from 0 to below 1"),
        ("mean.training.batch", 0, "a whole number above 0"),
        ("head.corruption", 7, "a number from 0 to 1"),
        ("head.temperature.0", -1.0, "a number of at least 0"),
        ("head.levels", 1, "a whole number of at least 2"),
        ("head.members", 1, "a whole number of at least 2"),
        ("head.tokenizer.sizes", [], "the size of at least one scale"),
        ("head.tokenizer.parts.0", 0, "a whole number above 0"),
        ("head.tokenizer.codes", 1, "a whole number of at least 2"),
        ("head.tokenizer.groups", 0, "a whole number above 0"),
    ],
)
def test_a_number_out_of_its_range_is_refused(field: str, value: Any, expected: str) -> None:
    first, *rest = reversed(field.split("."))
    nested: Any = [value] if first.isdigit() else {first: value}
    if first == "1":
        nested = [8, value]
    for name in rest:
        nested = {name: nested}
    with pytest.raises(InputError, match=f"{field}: found .*, expected {expected}"):
        from_dict(WeatherConfig, nested)


def test_the_smallest_network_has_no_layer_without_weights() -> None:
    """Found by damaged models: torch warns of such layers."""
    config = load(WeatherConfig, CONFIGS[0].with_name("era5.yaml"))
    small = replace(config.mean, dim=2, heads=1, depth=1, width=1)
    head = replace(config.head, kind="deterministic")
    grid = GRIDS[config.data.source]
    forecaster = build_untrained(config.data, small, head, grid, len(config.data.static))
    assert all(weight.numel() for weight in forecaster.parameters())


def test_a_model_of_no_variables_is_refused() -> None:
    config = load(WeatherConfig, CONFIGS[0].with_name("era5.yaml"))
    nothing = replace(config.data, atmospheric=(), surface=())
    with pytest.raises(InputError, match="Found no variable in `data`"):
        build_untrained(nothing, config.mean, config.head, GRIDS[config.data.source], 0)
