"""Zonal power spectra."""

import numpy as np
import pytest

from weather.metrics.spectra import zonal_power


@pytest.mark.parametrize("width", [16, 17])
def test_power_adds_up_to_the_mean_square(width: int) -> None:
    maps = np.random.default_rng(0).normal(size=(3, 2, width))
    power = zonal_power(maps)
    assert power.shape == (3, 2, width // 2 + 1)
    np.testing.assert_allclose(power.sum(-1), (maps**2).mean(-1))


@pytest.mark.parametrize("wavenumber", [0, 1, 5, 8])
def test_a_wave_has_power_at_its_wavenumber_only(wavenumber: int) -> None:
    wave = 3 * np.cos(wavenumber * np.arange(16) * 2 * np.pi / 16)
    expected = np.zeros(9)
    expected[wavenumber] = (wave**2).mean()
    np.testing.assert_allclose(zonal_power(wave), expected, atol=1e-12)


def test_power_does_not_know_where_longitude_starts() -> None:
    maps = np.random.default_rng(0).normal(size=(4, 32))
    np.testing.assert_allclose(zonal_power(np.roll(maps, 5, -1)), zonal_power(maps))


def test_a_mean_of_members_has_less_power_than_the_members() -> None:
    members = np.random.default_rng(0).normal(size=(10, 50, 32))
    assert zonal_power(members.mean(0)).sum() < 0.15 * zonal_power(members).mean(0).sum()
