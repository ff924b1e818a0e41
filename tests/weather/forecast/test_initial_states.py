"""Initial states are those of the file, at times that it has."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refine_core.errors import InputError
from tests.weather import tiny
from tests.weather.synthetic import atmosphere
from weather.fields.insolation import incident_radiation
from weather.forecast.initial_states import InitialStates
from weather.forecast.run import write_forecast
from weather.io.source import Source

SUN = "toa_incident_solar_radiation"


@pytest.fixture(scope="module")
def initial() -> InitialStates:
    return InitialStates(Source("here.nc", atmosphere()), tiny.untrained(forcing=(SUN,)))


def test_states_are_those_of_the_history(initial: InitialStates) -> None:
    states = initial.states("2000-02-05T06")
    expected = atmosphere()["2m_temperature"].sel(time=["2000-02-04T18", "2000-02-05T06"])
    np.testing.assert_array_equal(states[:, 4], expected)
    np.testing.assert_array_equal(states, initial.states(datetime(2000, 2, 5, 6)))
    fields = initial.forcing("2000-02-05T06", steps=2)
    assert fields is not None
    expected = atmosphere()[SUN].sel(time=["2000-02-05T18", "2000-02-06T06"])
    np.testing.assert_array_equal(fields[:, 0], expected)


def test_radiation_that_the_file_lacks_is_computed_beyond_its_end_too() -> None:
    states, model = atmosphere().drop_vars(SUN), tiny.untrained(forcing=(SUN,))
    given = InitialStates.open(states, model)
    last = states["time"].values[-1]
    fields = given.forcing(last, steps=3)
    assert fields is not None and fields.dtype == np.float32
    valid = last + np.arange(1, 4) * np.timedelta64(12, "h")
    np.testing.assert_array_equal(
        fields[:, 0], incident_radiation(valid, model.grid).astype(np.float32)
    )
    assert given.check([last], 3) != given.check([last], 2)


def test_ranges_of_times_are_chosen(initial: InitialStates) -> None:
    chosen = initial.choose(["2000-02-05/2000-02-06/12h", "2000-02-06"])
    assert [str(time)[:13] for time in chosen] == [
        "2000-02-05T00",
        "2000-02-05T12",
        "2000-02-06T00",
    ]
    assert initial.choose([]) == [initial.times[-1]]


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("2000-02-05T01:30", "no states at 2000-02-05T01:30, expected one"),
        ("2000-01-01", "no states at 1999-12-31T12:00"),
        ("2001-01-01", "times from 2000-01-01T00 to 2000-02-12T18: choose another time"),
        ("2000-02-05T00+01:00", "all of UTC"),
        ("2000-02-06/2000-02-05/24h", "from the first to the last"),
        ("2000-02-05/2000-02-06/0h", "all of UTC"),
    ],
)
def test_times_that_the_file_has_not_are_named(
    initial: InitialStates, time: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        initial.choose([time])


@pytest.mark.parametrize("options", [{"members": 0}, {"batch": 0}, {"steps": 0}], ids=str)
def test_a_forecast_of_nothing_is_refused(
    initial: InitialStates, tmp_path: Path, options: Any
) -> None:
    with pytest.raises(InputError, match="expected one or more"):
        write_forecast(initial, initial.choose([]), tmp_path / "f.zarr", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", [{"members": 10**9}, {"steps": 10**9}], ids=str)
def test_a_forecast_larger_than_any_disk_is_refused_at_once(
    initial: InitialStates, tmp_path: Path, options: Any
) -> None:
    with pytest.raises(InputError, match="expected at most"):
        write_forecast(initial, initial.choose([]), tmp_path / "f.zarr", **options)
    assert not list(tmp_path.iterdir())


def test_initial_states_are_never_replaced_by_their_forecast(
    initial: InitialStates, tmp_path: Path
) -> None:
    path = tmp_path / "states.nc"
    path.touch()
    states = InitialStates(Source(str(path), atmosphere()), initial.model)
    with pytest.raises(InputError, match="holds the initial states"):
        write_forecast(states, states.choose([]), path, overwrite=True)
    assert path.stat().st_size == 0


def test_repeated_times_of_a_file_are_to_be_removed(initial: InitialStates) -> None:
    twice = Source("here.nc", atmosphere().isel(time=[0, 1, 2, 2]))
    states = InitialStates(twice, initial.model)
    with pytest.raises(InputError, match="has 2 states at .* remove the repeated times"):
        states.choose([])
