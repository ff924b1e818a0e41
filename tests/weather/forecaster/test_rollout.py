"""Roll-outs of a model: mistakes are named before anything is computed."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from refine_core.errors import InputError
from tests.weather import tiny
from tests.weather.synthetic import atmosphere
from weather.forecaster.rollout import _in_groups
from weather.io.source import Source
from weather.model import WeatherModel

TIME = "2000-02-05T00"
SUN = "toa_incident_solar_radiation"


@pytest.fixture(scope="module")
def model() -> WeatherModel:
    return tiny.untrained()


@pytest.fixture(scope="module")
def past(model: WeatherModel) -> NDArray[np.float32]:
    return Source("", atmosphere()).read(model.channels, np.array([138, 140]))


def test_a_time_is_read_in_all_its_forms(model: WeatherModel, past: NDArray[np.float32]) -> None:
    states = [
        next(model.rollout(past, time, members=1, steps=1))
        for time in (TIME, datetime(2000, 2, 5), np.datetime64(TIME, "ns"), date(2000, 2, 5))
    ]
    assert states[0].time == np.datetime64("2000-02-05T12")
    assert all(torch.equal(states[0].values, state.values) for state in states[1:])


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("2000-02-05T01:30", "2000-02-05T01:30:00, expected a full hour"),
        (np.datetime64("2000-02-05T00:00:01"), "expected a full hour"),
        ("2000-02-05T00+01:00", "expected one of UTC"),
        ("soon", "'soon', expected one of UTC such as 2003-11-01T00"),
    ],
)
def test_a_time_that_the_model_does_not_know_is_refused(
    model: WeatherModel, past: NDArray[np.float32], time: Any, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        model.rollout(past, time)


@pytest.mark.parametrize("members", [0, -1, [], [0, -2]])
def test_no_members_are_refused(
    model: WeatherModel, past: NDArray[np.float32], members: int | Sequence[int]
) -> None:
    with pytest.raises(InputError, match="expected a count of one or more, or names from 0"):
        model.rollout(past, TIME, members=members)


def test_a_member_is_named_once(model: WeatherModel, past: NDArray[np.float32]) -> None:
    with pytest.raises(
        InputError, match=r"Found the members \[1, 2, 1\], expected each name once"
    ):
        model.rollout(past, TIME, members=[1, 2, 1])


@pytest.mark.parametrize("steps", [0, -1])
def test_no_steps_are_refused(model: WeatherModel, past: NDArray[np.float32], steps: int) -> None:
    with pytest.raises(InputError, match=f"Found {steps} steps, expected one or more"):
        model.rollout(past, TIME, steps=steps)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"members": 1.5}, "Found members 1.5, expected a whole number"),
        ({"members": "3"}, "Found members '3'"),
        ({"members": [1.5]}, "Found the member 1.5"),
        ({"steps": 1.5}, "Found steps 1.5"),
        ({"seed": 1.5}, "Found the seed 1.5"),
        ({"members": 10**8}, "Found 100000000 members, expected at most 1000000"),
        ({"members": range(10**8)}, "Found 100000000 members"),
    ],
)
def test_what_is_no_count_is_refused(
    model: WeatherModel, past: NDArray[np.float32], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        model.rollout(past, TIME, **options)


def test_more_members_than_memory_holds_are_refused(
    model: WeatherModel, past: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sysconf", lambda name: 100)
    with pytest.raises(InputError, match="A state of 9 members takes .* some of them at a time"):
        model.rollout(past, TIME, members=9)


def test_places_of_members_in_groups_are_found_in_linear_time() -> None:
    names, places = _in_groups(tuple(range(10**5, 0, -1)), 5)
    assert [names[place] for place in places[:3]] == [10**5, 10**5 - 1, 10**5 - 2]


def test_bad_states_are_refused(model: WeatherModel, past: NDArray[np.float32]) -> None:
    with pytest.raises(InputError, match=r"shape \(1, 6, 8, 16\)"):
        model.rollout(past[:1], TIME)
    broken: NDArray[np.float32] = past.copy()
    broken[1, 2, 0, 0] = np.nan
    with pytest.raises(InputError, match="not finite in temperature_500"):
        model.rollout(broken, TIME)
    with pytest.raises(InputError, match="blew up .* Start from a state like those"):
        next(model.rollout(past * np.float32(1e6), TIME, members=2))
    with pytest.raises(InputError, match=r"shape \(0, 2, 6, 8, 16\)"):
        model.rollout(past[None][:0], TIME)


@pytest.mark.parametrize("value", [float("nan"), 1e9])
def test_a_damaged_model_does_not_blame_the_state(past: NDArray[np.float32], value: float) -> None:
    broken = tiny.untrained()
    with torch.no_grad():
        for weight in broken.forecaster.mean.parameters():
            weight.fill_(value)
    with pytest.raises(InputError, match="at a lead of 12 h: .* the model is at fault"):
        next(broken.rollout(past, TIME, members=2))


def test_every_member_starts_from_its_own_state(
    model: WeatherModel, past: NDArray[np.float32]
) -> None:
    several = np.stack([past, past[..., ::-1], past[..., ::-1, :]])
    state = next(model.rollout(several, TIME, members=[4, 0], steps=1))
    for row, (member, own) in enumerate(((4, 1), (0, 0))):
        alone = next(model.rollout(several[own], TIME, members=[member], steps=1))
        assert torch.equal(state.values[row], alone.values[0])


def test_missing_forcing_is_named(past: NDArray[np.float32]) -> None:
    model = tiny.untrained(forcing=(SUN,))
    with pytest.raises(InputError, match=f"forcing fields {SUN}"):
        model.rollout(past, TIME, steps=2)
    fields = Source("", atmosphere()).read(model.data.forcing_channels, np.array([142, 144]))
    states = list(model.rollout(past, TIME, steps=2, members=1, forcing=fields))
    assert len(states) == 2
