"""Computed solar radiation against what is known of it."""

import numpy as np
import pytest

from weather.fields.arrays import Array, Times
from weather.fields.grid import Grid, equiangular
from weather.fields.insolation import HOUR, SOLAR_CONSTANT, incident_radiation, sun


def hours(day: str, count: int = 24) -> Times:
    """The ends of the hours of a day."""
    after = np.arange(1, count + 1) * np.timedelta64(1, "h")
    return np.asarray(np.datetime64(day, "ns") + after)


def daily_mean(day: str, latitude: float) -> float:
    """W m-2."""
    grid = Grid(np.array([latitude]), np.array([0.0, 90.0, 200.0]))
    mean: Array = incident_radiation(hours(day), grid).mean(0)[0] / HOUR
    np.testing.assert_allclose(mean, mean[0], rtol=5e-3)  # declination drifts in a day
    return float(mean[0])


def test_the_sun_is_where_almanacs_have_it() -> None:
    days = ["2003-03-21T01:00", "2003-06-21T19:10", "2003-12-22T07:04", "2003-01-04", "2003-07-04"]
    found = sun(np.array(days, "datetime64[ns]"))
    np.testing.assert_allclose(
        np.rad2deg(found.declination)[:3], [0, 23.44, -23.44], atol=0.01
    )  # equinox and solstices of 2003
    np.testing.assert_allclose(found.distance[3:], [0.98332, 1.01673], atol=1e-4)
    when = np.array(["2003-02-11", "2003-05-14", "2003-07-26", "2003-11-03"], "datetime64[ns]")
    minutes = np.rad2deg(sun(when).ahead) * 4
    np.testing.assert_allclose(minutes, [-14.2, 3.7, -6.5, 16.4], atol=0.1)  # equation of time


def test_daily_means_are_those_of_the_textbook() -> None:
    # At the equinox S / (pi R^2) cos(latitude), at R = .9962.
    equator = SOLAR_CONSTANT / np.pi / 0.9962**2
    assert daily_mean("2003-03-21", 0.0) == pytest.approx(equator, rel=2e-3)
    assert daily_mean("2003-03-21", 60.0) == pytest.approx(equator / 2, rel=0.01)
    # At the pole on midsummer S sin(23.44) / R^2, more than at the equator.
    pole = SOLAR_CONSTANT * np.sin(np.deg2rad(23.44)) / 1.0163**2
    assert daily_mean("2003-06-21", 90.0) == pytest.approx(pole, rel=2e-3)
    assert daily_mean("2003-06-21", 90.0) > daily_mean("2003-06-21", 0.0)


def test_the_polar_night_is_dark_and_the_polar_day_has_no_night() -> None:
    north = Grid(np.array([68.0, 80.0, 90.0]), np.arange(0, 360, 30.0))
    winter = incident_radiation(hours("2003-12-21"), north)
    assert (winter == 0).all()
    summer = incident_radiation(hours("2003-06-21"), north)
    assert (summer > 0).all()
    np.testing.assert_allclose(summer[:, 2], summer[0, 2, 0], rtol=1e-3)  # no day at the pole


def test_noon_is_where_the_sun_is() -> None:
    grid = Grid(np.array([0.0]), np.arange(0, 360, 1.0))
    at = np.array(["2003-03-21T12:30", "2003-03-21T18:30"], "datetime64[ns]")
    found = incident_radiation(at, grid)[:, 0]
    # The equation of time is -7.4 minutes, 1.9 degrees.
    assert grid.longitude[found.argmax(1)].tolist() == [2.0, 272.0]
    highest = SOLAR_CONSTANT / 0.9962**2 * HOUR
    assert found.max() == pytest.approx(highest * np.sin(np.pi / 24) / (np.pi / 24), rel=1e-3)


@pytest.mark.parametrize("day", ["1979-02-03", "2003-06-21", "2024-10-30"])
def test_the_closed_form_is_the_sum_of_many_instants(day: str) -> None:
    grid = equiangular(9, 7, poles=True)
    found = incident_radiation(hours(day, 24), grid)
    count = 720
    seconds = (np.arange(count) + 0.5) * HOUR / count - HOUR
    total = np.zeros(found.shape)
    for second in seconds:
        times = hours(day) + np.timedelta64(int(second * 1e9), "ns")
        at = sun(times)
        clock = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "D")
        angle = 2 * np.pi * (clock - 0.5) + at.ahead
        hour_angle = angle[:, None, None] + np.deg2rad(grid.longitude)
        south, delta = np.deg2rad(grid.latitude)[:, None], at.declination[:, None, None]
        height = np.sin(south) * np.sin(delta)
        height = height + np.cos(south) * np.cos(delta) * np.cos(hour_angle)
        total += SOLAR_CONSTANT / at.distance[:, None, None] ** 2 * np.maximum(height, 0)
    np.testing.assert_allclose(found, total * HOUR / count, atol=300)  # of up to 5e6


def test_the_mean_over_globe_and_year_is_a_quarter_of_the_solar_constant() -> None:
    grid = equiangular(32, 16)
    times = np.datetime64("2003-01-01", "ns") + np.arange(0, 8760, 31) * np.timedelta64(1, "h")
    mean = incident_radiation(times, grid).mean((0, 2)) @ grid.area() / 32 / HOUR
    assert mean == pytest.approx(SOLAR_CONSTANT / 4, rel=2e-3)
