"""Laws of the grid and its pyramid."""

import numpy as np
import pytest
import torch

from refine_core.errors import InputError
from weather.fields.grid import Grid, edges
from weather.forecaster.sphere import Cells, SphereConv, SpherePyramid, pad

GRIDS = {
    "no poles": Grid(-87.1875 + 5.625 * np.arange(32), 5.625 * np.arange(64)),
    "poles": Grid(np.linspace(-90, 90, 37), 5.0 * np.arange(72)),
}
SIZES = ((2, 4), (4, 8), (8, 16), (8, 16))


def equal_area(rows: int) -> torch.Tensor:
    top = np.sin(np.deg2rad(np.linspace(-90, 90, rows + 1)))
    return torch.from_numpy(np.diff(top) / np.diff(top).mean()).float()[:, None]


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_area_is_the_surface_of_the_sphere(grid: Grid) -> None:
    weight, edge = grid.area(), np.deg2rad(edges(grid.latitude))
    exact = np.sin(edge[1:]) - np.sin(edge[:-1])
    np.testing.assert_allclose(weight * 2 / grid.shape[0], exact, rtol=1e-12)
    field = np.sin(np.deg2rad(grid.latitude))  # odd about the equator
    assert abs((weight * field).mean()) < 1e-12


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_reduce_conserves_the_global_mean(grid: Grid) -> None:
    cells = Cells(grid, (8, 16))
    maps = torch.rand(3, *grid.shape)
    area = torch.from_numpy(grid.area()).float()[:, None]
    before, after = (maps * area).mean((1, 2)), (cells.enter(maps) * equal_area(8)).mean((1, 2))
    torch.testing.assert_close(before, after)


def test_every_move_keeps_constants() -> None:
    pyramid = SpherePyramid(SIZES)
    for source, size in enumerate(SIZES):
        for target, wanted in enumerate(SIZES):
            moved = pyramid.resample(torch.ones(2, *size), source, target)
            torch.testing.assert_close(moved, torch.ones(2, *wanted))


@pytest.mark.parametrize("source,target", [(0, 2), (1, 2), (2, 0), (3, 1)])
def test_rolling_by_a_coarse_cell_commutes(source: int, target: int) -> None:
    pyramid = SpherePyramid(SIZES)
    x = torch.rand(*SIZES[source])
    coarse = min(SIZES[source][1], SIZES[target][1])
    before = pyramid.resample(x.roll(SIZES[source][1] // coarse, -1), source, target)
    after = pyramid.resample(x, source, target).roll(SIZES[target][1] // coarse, -1)
    torch.testing.assert_close(before, after)


def test_expand_crosses_the_pole() -> None:
    """A field linear across the pole, x = cos(latitude) cos(longitude), stays smooth there."""
    pyramid = SpherePyramid([(16, 32), (64, 128)])

    def field(h: int, w: int) -> torch.Tensor:
        latitude = ((torch.arange(h) + 0.5) / h - 0.5) * torch.pi
        longitude = (torch.arange(w) + 0.5) / w * 2 * torch.pi
        return latitude.cos()[:, None] * longitude.cos()[None]

    error = (pyramid.resample(field(16, 32), 0, 1) - field(64, 128)).abs()
    assert error[[0, -1]].max() < 0.005  # a border that repeats rows would err by 0.05


def test_equal_sizes_move_nothing() -> None:
    x = torch.rand(2, 8, 16)
    assert SpherePyramid(SIZES).resample(x, 2, 3) is x
    assert Cells(GRIDS["no poles"], (32, 64)).enter(y := torch.rand(1, 32, 64)) is y


def test_padding_continues_over_the_poles_and_around() -> None:
    x = torch.arange(12.0).reshape(2, 6)
    padded = pad(x[None, None])[0, 0]
    assert padded.shape == (4, 8)
    assert padded[0, 1:-1].tolist() == x[0].roll(3).tolist()
    assert padded[1, 0] == x[0, -1]
    assert padded[1, -1] == x[0, 0]


def test_convolution_commutes_with_rotation() -> None:
    conv, x = SphereConv(2, 3), torch.rand(1, 2, 6, 8)
    torch.testing.assert_close(conv(x.roll(3, -1)), conv(x).roll(3, -1))


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="coarse to fine"):
        SpherePyramid([(4, 8), (2, 4)])
    with pytest.raises(InputError, match="lower `grid`"):
        Cells(GRIDS["poles"], (64, 128))
