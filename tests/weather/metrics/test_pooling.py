"""Pooling over windows: against loops, laws, and a library's CRPS of what is pooled."""

import numpy as np
import pytest
import scoringrules

from weather.fields.grid import Grid
from weather.fields.regions import region_weights
from weather.metrics.ensemble import crps
from weather.metrics.pooling import MapWindows

GRID = Grid(np.linspace(-78.75, 78.75, 8), np.arange(0, 360, 22.5))
AREA = GRID.area()[:, None] * np.ones(16)


def draws(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_windows_side_by_side_are_those_of_a_loop(size: int) -> None:
    maps, windows = draws(3, 8, 16), MapWindows(AREA, size, GRID)
    mean, largest = windows.mean(maps), windows.maximum(maps)
    assert mean.shape == largest.shape == (3, 8 // size, 16 // size)
    for i in range(8 // size):
        for j in range(16 // size):
            part = (slice(i * size, (i + 1) * size), slice(j * size, (j + 1) * size))
            for k in range(3):
                expected = np.average(maps[k][part], weights=AREA[part])
                assert mean[k, i, j] == pytest.approx(expected)
                assert largest[k, i, j] == maps[k][part].max()


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [
        (3, [0, 2, 5], [0, 2, 5, 8, 10, 13]),
        (5, [0, 3], [0, 4, 8, 12]),
        (7, [0, 1], [0, 5, 10]),
    ],
)
def test_windows_that_do_not_divide_a_map_overlap_evenly_and_go_around_the_globe(
    size: int, rows: list[int], columns: list[int]
) -> None:
    maps, windows = draws(8, 16), MapWindows(AREA, size, GRID)
    largest = windows.maximum(maps)
    assert largest.shape == (len(rows), len(columns))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            around = np.take(maps[row : row + size], column + np.arange(size), 1, mode="wrap")
            assert largest[i, j] == around.max()


def test_weights_of_windows_are_shares_of_the_region() -> None:
    weight = region_weights(GRID, ["global", "northern-extratropics"])
    windows = MapWindows(AREA, 4, GRID)
    share = windows.weight(weight)
    np.testing.assert_allclose(share.sum((1, 2)), 1)
    np.testing.assert_allclose(share[1, 0], 0)
    maps = draws(8, 16)
    assert (share[0] * windows.mean(maps)).sum() == pytest.approx((weight[0] * maps).sum())


def test_cells_outside_of_a_mask_are_left_out() -> None:
    mask = np.zeros((8, 16))
    mask[:4, :4] = [[1, 0, 0, 1]] * 4
    mask[0, 4:8] = 1
    windows, maps = MapWindows(AREA * mask, 4, GRID), draws(8, 16).astype(np.float32)
    maps[mask == 0] = 1e6
    assert windows.maximum(maps)[0, 0] == maps[:4, [0, 3]].max()
    expected = np.average(maps[:4, [0, 3]], weights=AREA[:4, [0, 3]])
    assert windows.mean(maps)[0, 0] == pytest.approx(expected, rel=1e-5)
    assert windows.mean(maps)[0, 1] == pytest.approx(maps[0, 4:8].mean(), rel=1e-5)
    assert windows.maximum(maps)[1, 3] == windows.mean(maps)[1, 3] == 0
    assert windows.maximum(maps).dtype == windows.mean(maps).dtype == np.float32


def test_shuffled_members_lose_in_what_is_pooled_only() -> None:
    x = draws(21, 60, 8, 1).repeat(16, -1) + 0.3 * draws(21, 60, 8, 16, seed=1)
    members, truth = x[1:], x[0]
    mixed = np.random.default_rng(2).permuted(members, axis=0)
    np.testing.assert_allclose(crps(mixed, truth), crps(members, truth))
    windows = MapWindows(AREA, 4, GRID)
    for pool in (windows.mean, windows.maximum):
        ours, theirs = (crps(pool(each), pool(truth)).mean() for each in (members, mixed))
        assert theirs > 1.1 * ours
        other = scoringrules.crps_ensemble(pool(truth), pool(members), m_axis=0, estimator="fair")
        assert ours == pytest.approx(float(other.mean()))


@pytest.mark.parametrize("size", [2, 4])
def test_a_part_of_the_globe_is_the_same_wherever_it_lies(size: int) -> None:
    latitude, maps = np.linspace(30, 65, 8), draws(3, 8, 10)
    area = np.ones((8, 10))
    here = Grid(latitude, np.arange(100.0, 150, 5))
    across = Grid(latitude, np.sort((here.longitude - 120) % 360))
    order = ((here.longitude - 120) % 360).argsort()
    assert not here.is_global and across.eastward.tolist() == order.argsort().tolist()
    for pool in ("mean", "maximum"):
        plain = getattr(MapWindows(area, size, here), pool)(maps)
        moved = getattr(MapWindows(area, size, across), pool)(maps[..., order])
        np.testing.assert_allclose(moved, plain)
    first, last = (MapWindows(area, size, here).mean(maps)[..., k] for k in (0, -1))
    np.testing.assert_allclose(first[..., 0], maps[..., :size, :size].mean((-1, -2)))
    np.testing.assert_allclose(last[..., 0], maps[..., :size, -size:].mean((-1, -2)))
