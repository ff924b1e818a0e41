"""The geostrophic wind, against a flow whose balance is known."""

import numpy as np
import pytest

from weather.fields.grid import Grid
from weather.metrics.balance import BAND, RADIUS, ROTATION, geostrophic_wind, in_band

GRID = Grid(np.arange(-87.5, 90, 5.0), np.arange(0, 360, 1.0))


@pytest.mark.parametrize("wave", [1, 3])
def test_a_wave_has_the_wind_of_its_slope(wave: int) -> None:
    longitude, latitude = np.deg2rad(GRID.longitude), np.deg2rad(GRID.latitude)[:, None]
    height = 5e4 + 800 * np.sin(wave * longitude) * np.ones((36, 1))
    coriolis = 2 * ROTATION * np.sin(latitude)
    expected = 800 * wave * np.cos(wave * longitude) / (coriolis * RADIUS * np.cos(latitude))
    inside = in_band(GRID)[:, 0] > 0
    found = geostrophic_wind(np.stack([height, 2 * height]), GRID)
    # A central difference over two degrees loses a thousandth of these waves.
    np.testing.assert_allclose(found[0][inside], expected[inside], rtol=5e-3, atol=0.01)
    np.testing.assert_allclose(found[1], 2 * found[0])
    assert (found[0][~inside] == 0).all()


def test_winds_turn_around_lows_against_the_clock_in_the_north_only() -> None:
    low = -500 * np.exp(-((GRID.longitude - 180) ** 2) / 200) * np.ones((36, 1))
    wind = geostrophic_wind(low, GRID)
    north, south = np.searchsorted(GRID.latitude, [45, -45])
    assert wind[north, 190] > 1 > -1 > wind[north, 170]
    assert wind[south, 190] < -1 < 1 < wind[south, 170]


def test_the_band_leaves_out_tropics_and_poles() -> None:
    rows = np.abs(GRID.latitude[in_band(GRID)[:, 0] > 0])
    assert BAND[0] <= rows.min() and rows.max() <= BAND[1] and len(rows) == 20
