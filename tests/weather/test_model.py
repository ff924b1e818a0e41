"""What a trained model must do, whatever its head."""

from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from refine_core.errors import InputError
from refine_core.sampling.intermediates import Intermediates
from tests.cards import made_by_card
from tests.weather import tiny
from tests.weather.synthetic import atmosphere, config
from weather.data.preparation import prepare
from weather.forecaster.config import HeadConfig
from weather.forecaster.rollout import State
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
    one = dict.fromkeys(("deterministic", "bank", "gaussian"), 1)
    expected = one | {"refine": 4, "diffusion": 6, "crps": 2}
    assert model.calls == expected[model.config.head.kind]


def test_files_hold_everything(model: WeatherModel, start: Start, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors", half=False)
    again = load(tmp_path / "model.safetensors")
    a, b = (next(m.rollout(*start, members=2, steps=1)).values for m in (model, again))
    assert torch.equal(a, b)
    assert again.grid == model.grid


def test_without_its_correction_a_model_is_as_trained(model: WeatherModel, start: Start) -> None:
    plain = next(model.rollout(*start, members=2, steps=1)).values
    model.forecaster.correction.gain.fill_(2)
    corrected = next(model.rollout(*start, members=2, steps=1)).values
    other = model.uncorrected()
    assert torch.equal(next(other.rollout(*start, members=2, steps=1)).values, plain)
    assert model.config.head.kind == "deterministic" or not torch.equal(plain, corrected)
    assert other.digest != model.digest  # a forecast of one does not go on with the other
    model.forecaster.correction.reset()


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


def test_a_shared_model_is_loaded_as_its_card_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.untrained()
    model.save_pretrained(tmp_path, half=False)
    atmosphere().to_netcdf(tmp_path / "states.nc")
    found = made_by_card(tmp_path, "weather", monkeypatch)
    again: WeatherModel = found["model"]
    assert found["made"].sizes["number"] == 20 and again.grid == model.grid
    first = model.forecast(atmosphere(), members=20, lead_days=1)["temperature"]
    np.testing.assert_array_equal(found["made"]["temperature"], first)
    assert found["made"].attrs["digest"] == again.digest != ""


def test_what_is_called_after_each_scale_sees_fields_become_finer(
    model: WeatherModel, start: Start
) -> None:
    steps = Intermediates[State]()
    options: dict[str, Any] = {"members": [6, 1], "steps": 2, "seed": 5}
    run = model.rollout(*start, **options, after_scale=steps)
    if model.config.head.kind != "refine":
        with pytest.raises(InputError, match="which has no scales: leave it out"):
            next(run)
        return
    states = list(run)
    plain = model.rollout(*start, **options)
    for state, alone in zip(states, plain, strict=True):
        assert torch.equal(state.values, alone.values)
    assert [step.scale for step in steps] == [0, 1, 2] * 4  # of two groups of members, two steps
    for step in steps:
        state = states[step.data.lead_hours // 12 - 1]
        (member,) = step.index.tolist()
        assert step.data.members == (member,) and step.data.time == state.time
        own = state.values[state.members.index(member)]
        assert torch.allclose(step.data.values[0], own) == (step.scale == 2)
