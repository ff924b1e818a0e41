"""From the grid and the layers of a model to maps: laws of regridding and of levels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.weather.waves import GAUSSIAN, SIGMA
from weather.fields.arrays import Array
from weather.fields.grid import Grid, equiangular
from weather.fields.regrid import Conservative, rows
from weather.fields.variables import GRAVITY
from weather.simulation.pressure_levels import DRY_AIR, LAPSE, Columns, to_levels

SOURCES = {"gaussian": Grid(GAUSSIAN, np.arange(24) * 15.0), "fine": equiangular(48, 90)}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("target", [equiangular(32, 64), equiangular(7, 10)], ids=["up", "down"])
@given(seed=st.integers(0, 9))
def test_regridding_conserves(source: Grid, target: Grid, seed: int) -> None:
    regrid = Conservative(source, target)
    np.testing.assert_allclose(regrid(np.full((2, *source.shape), 3.0)), 3, rtol=1e-12)
    maps = np.random.default_rng(seed).normal(size=(2, *source.shape))
    there = regrid(maps)
    for before, after in zip(_means(maps, source), _means(there, target), strict=True):
        assert before == pytest.approx(after, abs=1e-12)
    assert (there.min() >= maps.min()) and (there.max() <= maps.max())


@given(turn=st.integers(0, 11))
def test_regridding_turns_with_the_globe(turn: int) -> None:
    source = SOURCES["gaussian"]
    regrid = Conservative(source, equiangular(16, 48))
    maps = np.random.default_rng(turn).normal(size=source.shape)
    turned = regrid(np.roll(maps, turn, -1))
    np.testing.assert_allclose(turned, np.roll(regrid(maps), 2 * turn, -1), atol=1e-12)
    mirrored = regrid(np.roll(maps[:, ::-1], 1, -1))  # at the meridian, the first cell's centre
    np.testing.assert_allclose(mirrored, np.roll(regrid(maps)[:, ::-1], 1, -1), atol=1e-12)


def test_means_over_small_cells_become_means_over_large_ones() -> None:
    def means(grid: Grid) -> Array:
        """Of sin(latitude) + cos(latitude) cos(longitude) over the cells."""
        edge = np.deg2rad(rows(grid))
        area = np.diff(np.sin(edge))
        north = np.diff(np.sin(edge) ** 2 / 2) / area
        near = np.diff(edge / 2 + np.sin(2 * edge) / 4) / area
        half = np.pi / grid.shape[1]
        around = np.cos(np.deg2rad(grid.longitude)) * np.sin(half) / half
        return np.asarray(north[:, None] + near[:, None] * around)

    source, target = equiangular(48, 96), equiangular(16, 32)
    np.testing.assert_allclose(Conservative(source, target)(means(source)), means(target))


def test_levels_are_exact_for_what_is_linear_in_the_logarithm_of_pressure() -> None:
    pressure = np.random.default_rng(0).uniform(9e4, 1.03e5, (3, 4, 5))
    layers = np.log(SIGMA[:, None, None] * pressure[:, None])
    levels = np.array([300, 500, 850])
    found = to_levels(7 - 2 * layers, SIGMA, pressure, levels)
    expected = 7 - 2 * np.log(100.0 * levels)[:, None, None] + 0 * pressure[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_beyond_the_layers_the_nearest_is_taken() -> None:
    values = np.random.default_rng(0).normal(size=(1, 4, 2, 2))
    found = to_levels(values, SIGMA, np.full((1, 2, 2), 1e5), np.array([100, 500, 800, 1000]))
    np.testing.assert_allclose(found, values, rtol=1e-12)


def test_below_the_ground_is_the_standard_atmosphere() -> None:
    """Columns that begin at any height give the same maps as the atmosphere without ground."""
    ground = np.array([[[0.0, 500.0, 1500.0, 4000.0]]])  # m
    power = GRAVITY / (DRY_AIR * LAPSE)

    def height(pressure: Array) -> Array:
        return np.asarray(288.15 / LAPSE * (1 - (pressure / 101325) ** (1 / power)))

    surface = 101325 * (1 - LAPSE * ground / 288.15) ** power
    layers = height(SIGMA[:, None, None] * surface[:, None])
    columns = Columns(
        geopotential=GRAVITY * layers,
        temperature=288.15 - LAPSE * layers,
        u_component_of_wind=layers,
        v_component_of_wind=layers,
        specific_humidity=layers,
        surface_pressure=surface,
        near_surface_temperature=288.15 - LAPSE * ground,
        near_surface_u=ground,
        near_surface_v=ground,
        precipitation=ground,
    )
    maps = columns.maps(SIGMA, np.array([1000, 1013]), "rain")  # beneath the lowest layer
    expected = np.broadcast_to(height(np.array([1e5, 101300]))[:, None, None], (1, 2, 1, 4))
    np.testing.assert_allclose(maps["geopotential"], GRAVITY * expected, atol=1e-6)
    np.testing.assert_allclose(maps["temperature"], 288.15 - LAPSE * expected, rtol=1e-12)
    np.testing.assert_allclose(maps["mean_sea_level_pressure"], 101325, rtol=1e-12)
    np.testing.assert_allclose(maps["u_component_of_wind"][:, 0], layers[:, -1], rtol=1e-12)


def _means(maps: Array, grid: Grid) -> Array:
    """(n,) means of maps over the sphere."""
    weight = np.diff(np.sin(np.deg2rad(rows(grid)))) / 2
    return np.asarray(maps.mean(-1) @ weight)
