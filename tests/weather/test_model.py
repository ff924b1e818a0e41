"""What a trained model must do, whatever its head."""

from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from refine_core.errors import InputError
from tests.weather import tiny
from tests.weather.synthetic import atmosphere, config
from weather.data.preparation import prepare
from weather.forecaster.config import HeadConfig
from weather.model import WeatherModel, load

Start = tuple[NDArray[np.float32], np.datetime64]
KINDS = get_args(get_type_hints(HeadConfig)["kind"])


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest, folder: Path) -> WeatherModel:
    return tiny.trained(folder, request.param)


@pytest.fixture(scope="module")
def start(model: WeatherModel) -> Start:
    data = prepare(model.data, quiet=True)
    index = int(data.starts("test")[0])
    return data.states[[index - data.stride, index]], data.times[index]


def test_a_member_is_a_name(model: WeatherModel, start: Start) -> None:
    """Members depend on seed, time and name, not on batch size, company or order."""
    together = list(model.rollout(*start, members=7, steps=3, seed=5))
    some = list(model.rollout(*start, members=[6, 4], steps=3, seed=5))
    for a, b in zip(together, some, strict=True):
        assert torch.equal(a.values[[6, 4]], b.values)
        assert b.members == (6, 4)
    assert [state.lead_hours for state in together] == [12, 24, 36]
    assert together[-1].time == start[1] + np.timedelta64(36, "h")
    spread = together[-1].values.std(0).mean()
    if model.config.head.kind == "deterministic":
        assert spread == 0
    else:
        assert spread > 0
        other = next(model.rollout(*start, members=[4], steps=1, seed=6))
        assert not torch.equal(other.values[0], some[0].values[1])


def test_calls_are_counted(model: WeatherModel) -> None:
    expected = {"refine": 4, "deterministic": 1, "gaussian": 1, "diffusion": 6, "crps": 2}
    assert model.calls == expected[model.config.head.kind]


def test_files_hold_everything(model: WeatherModel, start: Start, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors", half=False)
    again = load(tmp_path / "model.safetensors")
    a, b = (next(m.rollout(*start, members=2, steps=1)).values for m in (model, again))
    assert torch.equal(a, b)
    assert again.grid == model.grid


def test_humidity_stays_positive(model: WeatherModel, start: Start) -> None:
    model.forecaster.get_buffer("lower")[2] = 0.1
    sampled = next(model.rollout(*start, members=3, steps=1)).values
    model.forecaster.get_buffer("lower")[2] = -torch.inf
    assert model.normalise(sampled)[:, 2].min() >= 0.1 - 1e-5


def test_data_that_are_not_the_models_are_refused(tmp_path: Path) -> None:
    model = tiny.untrained()
    atmosphere(h=4, w=8).to_netcdf(tmp_path / "coarse.nc")
    coarse = prepare(tiny.config(tmp_path).data, tmp_path / "p", quiet=True)
    model.check_data(coarse)
    made = config(tmp_path / "coarse.nc", forcing=())
    with pytest.raises(InputError, match="grid of 4 x 8 points, the model one of 8 x 16"):
        model.check_data(prepare(made, tmp_path / "q", quiet=True))
    made = config(tmp_path / "coarse.nc", forcing=(), surface=())
    with pytest.raises(InputError, match="prepare those of the model"):
        model.check_data(prepare(made, tmp_path / "r", quiet=True))
