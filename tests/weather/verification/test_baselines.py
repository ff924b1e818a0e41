"""Seasons, climatology and dressed persistence."""

import numpy as np
import pytest
import xarray as xr

from tests.weather.forecasts import DAY, world
from weather.fields.season import MOST_STATES, WINDOW, evenly_spaced
from weather.io import values as fields
from weather.verification.baselines import (
    History,
    baseline_forecasts,
    coverage,
    states_before,
)

WORLD = world()
STATES = WORLD["temperature"]
WHEN = np.datetime64("2002-12-28", "ns")


def history(states: xr.DataArray = STATES) -> History:
    return History(states, np.array([WHEN]))


def test_a_season_goes_on_over_new_year() -> None:
    past = history()
    found = past.times[past.season(np.datetime64("2001-01-03", "ns"))]
    days = set(found.astype("datetime64[D]").astype(str))
    assert {"2000-12-20", "2001-01-18", "2002-01-01", "2000-01-01"} <= days
    assert not {"2000-12-16", "2001-01-20", "2001-07-01"} & days
    assert abs(len(found) - 3 * (2 * WINDOW + 1)) <= 18  # the first and last winters are halves


def test_a_season_has_one_hour_of_the_day() -> None:
    half = STATES.assign_coords(time=STATES["time"].values + DAY // 2)
    both = xr.concat([STATES, half], "time").sortby("time")
    noon = np.datetime64("2001-06-01T12", "ns")
    past = History(both, np.array([noon]))
    assert len(past.times) == len(STATES["time"])  # midnight is not even read
    hours = past.times[past.season(noon)].astype("datetime64[h]").astype(int) % 24
    assert len(hours) and (hours == 12).all()


def test_climate_is_the_mean_and_quantiles_of_the_season() -> None:
    past = history()
    states = past.take(evenly_spaced(past.season(WHEN), MOST_STATES))
    found = past.climate(WHEN)
    np.testing.assert_allclose(found.mean, states.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.quantiles, np.quantile(states, [0.1, 0.9], 0), rtol=1e-6)
    summer = past.climate(np.datetime64("2001-07-01", "ns")).mean
    assert (summer[0, 0] - found.mean[0, 0]).mean() == pytest.approx(15.7, abs=0.5)


def test_climatological_ensemble_is_states_of_the_season() -> None:
    past = history()
    members = past.ensemble(WHEN, 20)
    assert members.shape == (20, 2, 8, 12)
    known = STATES.values[np.isin(STATES["time"].values, past.times[past.season(WHEN)])]
    assert all((known == member).all((1, 2, 3)).any() for member in members)
    np.testing.assert_array_equal(members, past.ensemble(WHEN, 20))


def test_dressed_persistence_adds_what_persistence_missed_in_the_past() -> None:
    days = np.arange(len(STATES["time"]), dtype=np.float32)
    drift = STATES.copy(data=STATES.values * 0 + 0.5 * days[:, None, None, None])
    start = np.full((2, 8, 12), 7, np.float32)
    members = history(drift).dressed(start, WHEN, 4 * DAY, 10)
    assert members.shape == (10, 2, 8, 12)
    np.testing.assert_array_equal(members, 7 + 0.5 * 4)


def test_dressed_persistence_pairs_states_a_lead_time_apart() -> None:
    gap = STATES.isel(time=np.arange(len(STATES["time"])) % 3 > 0)  # every third day is missing
    first, then = (history(gap).times[i] for i in history(gap).pairs(WHEN, DAY))
    assert len(first)
    assert ((then - first) == DAY).all()


def test_what_does_not_fit_in_memory_is_read_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = history()
    monkeypatch.setattr(fields, "BUDGET", 0)
    lazy = history(STATES.chunk(time=50))
    assert held._loaded is not None and lazy._loaded is None
    np.testing.assert_array_equal(lazy.ensemble(WHEN, 5), held.ensemble(WHEN, 5))


def test_nothing_of_the_fortnight_before_the_first_start_is_known() -> None:
    past = states_before(WORLD, np.datetime64("2001-06-20", "ns"))
    assert past["time"].values[-1] == np.datetime64("2001-06-05", "ns")


@pytest.mark.parametrize(("until", "enough"), [("2000-06-30", True), ("2000-05-20", False)])
def test_a_history_covers_a_season_or_not(until: str, enough: bool) -> None:
    times = WORLD["time"].sel(time=slice("2000-03-01", until)).values
    inits = np.array(["2001-06-10"], "datetime64[ns]")
    seasons, pairs = coverage(times, inits, np.array([DAY]), np.ones((1, 1), bool))
    assert seasons == pairs.item() == enough


def test_a_history_has_pairs_at_some_lead_times_or_not() -> None:
    inits, leads = np.array([WHEN]), np.arange(1, 5) * DAY
    seasons, pairs = coverage(WORLD["time"].values[::2], inits, leads, np.ones((1, 4), bool))
    assert seasons
    assert pairs.tolist() == [False, True, False, True]


def test_forecasts_are_those_that_history_and_start_allow() -> None:
    past, start = history(), STATES.values[-1]
    climate = past.climate(WHEN)
    everything = baseline_forecasts(past, climate, start, WHEN, DAY, 5, paired=True)
    shapes = {name: len(members) for name, members in everything.items()}
    ensembles = {"climatological ensemble": 5, "dressed persistence": 5}
    assert shapes == {"climatology": 1, "persistence": 1} | ensembles
    assert list(baseline_forecasts(None, None, start, WHEN, DAY, 5, paired=True)) == [
        "persistence"
    ]
    for allowed in ({"start": None, "paired": True}, {"start": start, "paired": False}):
        found = baseline_forecasts(past, climate, init=WHEN, lead=DAY, members=5, **allowed)
        assert "climatology" in found
        assert "dressed persistence" not in found
    assert not baseline_forecasts(None, None, None, WHEN, DAY, 5, paired=True)


def test_thinning_keeps_the_ends() -> None:
    index = np.arange(100)
    assert evenly_spaced(index, 7)[[0, -1]].tolist() == [0, 99]
    assert len(set(evenly_spaced(index, 7))) == 7
    np.testing.assert_array_equal(evenly_spaced(index, 200), index)
