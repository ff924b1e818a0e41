"""A forecast model in the form of Earth2Studio."""

from collections import OrderedDict
from itertools import islice

import numpy as np
import pytest
import torch
from torch import Tensor

from refine_core.errors import InputError
from tests.weather import tiny
from tests.weather.synthetic import atmosphere
from weather.earth2studio_model import Coords, Earth2StudioModel
from weather.io.source import Source
from weather.model import WeatherModel

MEMBERS = [7, 2, 3]


@pytest.fixture(scope="module")
def model() -> WeatherModel:
    return tiny.untrained(forcing=())


@pytest.fixture(scope="module")
def wrapped(model: WeatherModel) -> Earth2StudioModel:
    return Earth2StudioModel(model, seed=5)


@pytest.fixture
def given(model: WeatherModel, wrapped: Earth2StudioModel) -> tuple[Tensor, Coords]:
    """States of three members at two times, as Earth2Studio hands them on."""
    coords = wrapped.input_coords()
    del coords["batch"]
    coords["time"] = atmosphere()["time"].values[[10, 14]]
    valid = coords["time"][:, None] + coords["lead_time"]
    places = np.searchsorted(atmosphere()["time"].values, valid)
    maps = Source("", atmosphere()).read(model.data.state_channels, places.ravel())
    states = torch.from_numpy(maps).unflatten(0, valid.shape)
    every = OrderedDict({"ensemble": np.array(MEMBERS), **coords})
    return states[None].repeat(3, 1, 1, 1, 1, 1), every


def test_the_coordinates_are_those_of_the_protocol(wrapped: Earth2StudioModel) -> None:
    coords = wrapped.input_coords()
    assert [*coords] == ["batch", "time", "lead_time", "variable", "lat", "lon"]
    assert len(coords["batch"]) == len(coords["time"]) == 0
    assert {"z500", "t850"} & set(coords["variable"]) and "msl" in coords["variable"]
    later = wrapped.output_coords(coords)
    assert [*later] == [*coords] and later["lead_time"] == np.timedelta64(12, "h")
    coords["lead_time"] += np.timedelta64(12, "h")
    assert wrapped.output_coords(coords)["lead_time"] == np.timedelta64(24, "h")


def test_members_are_those_of_a_forecast(
    model: WeatherModel, wrapped: Earth2StudioModel, given: tuple[Tensor, Coords]
) -> None:
    x, coords = given
    found = list(islice(wrapped.create_iterator(x, coords), 3))
    assert torch.equal(found[0][0], x[:, :, -1:])
    for place, time in enumerate(coords["time"]):
        run = model.rollout(x[0, place], time, members=MEMBERS, steps=2, seed=5)
        for (values, about), state in zip(found[1:], run, strict=True):
            assert [*about] == ["ensemble", "time", "lead_time", "variable", "lat", "lon"]
            assert about["lead_time"] == np.timedelta64(state.lead_hours, "h")
            assert values.shape == tuple(map(len, about.values()))
            torch.testing.assert_close(values[:, place, 0], state.values)
    values, about = wrapped(x, coords)
    assert torch.equal(values, found[1][0]) and about["lead_time"] == found[1][1]["lead_time"]


def test_a_member_does_not_depend_on_its_batch(
    wrapped: Earth2StudioModel, given: tuple[Tensor, Coords]
) -> None:
    x, coords = given
    whole, _ = wrapped(x, coords)
    alone, _ = wrapped(x[:1], OrderedDict({**coords, "ensemble": np.array([7])}))
    assert torch.equal(alone, whole[:1])


def test_states_start_where_they_are_valid(
    model: WeatherModel, wrapped: Earth2StudioModel, given: tuple[Tensor, Coords]
) -> None:
    x, coords = given[0][0], OrderedDict([*given[1].items()][1:])  # no members
    late = OrderedDict({**coords, "lead_time": coords["lead_time"] + np.timedelta64(24, "h")})
    values, about = wrapped(x, late)
    assert about["lead_time"] == np.timedelta64(36, "h")
    start = coords["time"][1] + np.timedelta64(24, "h")
    state = next(model.rollout(x[1], start, members=1, steps=1, seed=5))
    torch.testing.assert_close(values[1, 0], state.values[0])


def test_other_coordinates_are_refused(
    wrapped: Earth2StudioModel, given: tuple[Tensor, Coords]
) -> None:
    x, coords = given
    for name in ("lat", "variable"):
        with pytest.raises(ValueError, match=f"other values of {name}"):
            wrapped(x, OrderedDict({**coords, name: coords[name][::-1]}))
    swapped = OrderedDict(coords)
    swapped.move_to_end("lat")
    with pytest.raises(ValueError, match="expected them to end in"):
        wrapped(x, swapped)


def test_forcing_is_refused() -> None:
    with pytest.raises(InputError, match="needs the forcing fields"):
        Earth2StudioModel(tiny.untrained(forcing=("toa_incident_solar_radiation",)))


def test_it_is_one_where_earth2studio_is_installed(wrapped: Earth2StudioModel) -> None:
    base = pytest.importorskip("earth2studio.models.px.base", exc_type=ImportError)
    assert isinstance(wrapped, base.PrognosticModel)
