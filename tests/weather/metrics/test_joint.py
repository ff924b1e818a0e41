"""Energy and variogram scores: other libraries, laws, and what only they see."""

import numpy as np
import pytest
import scoringrules

from weather.fields.grid import Grid
from weather.fields.regions import region_weights
from weather.metrics.ensemble import crps
from weather.metrics.joint import (
    Tiles,
    cross_variogram_score,
    energy_score,
    variogram_score,
)

GRID = Grid(np.linspace(-85, 85, 18), np.arange(0, 360, 15.0))


def cells(rows: np.ndarray, width: int) -> np.ndarray:
    """(R, H, W) weights of cells of the weights (R, H) of rows."""
    return np.repeat(rows[..., None] / width, width, -1)


def draws(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize(("fair", "theirs"), [(False, "nrg"), (True, "fair")])
def test_energy_score_agrees_with_scoringrules(fair: bool, theirs: str) -> None:
    x, y = 2 + draws(6, 3, 4, 5), draws(3, 4, 5, seed=1)
    weight = np.array([[0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.5, 0.5]])
    ours = energy_score(x, y, cells(weight, 5), fair=fair)
    for region in range(2):
        root = np.sqrt(weight[region, :, None] / 5)
        expected = scoringrules.es_ensemble(
            (root * y).reshape(3, 20), (root * x).reshape(6, 3, 20), m_axis=0, estimator=theirs
        )
        np.testing.assert_allclose(ours[:, region], expected, atol=1e-6)


def test_variogram_score_agrees_with_scoringrules() -> None:
    x, y = draws(6, 3, 7), draws(3, 7, seed=1)
    weight = np.abs(draws(2, 7, 7, seed=2))
    for power in (0.5, 1.0):
        ours = variogram_score(x, y, weight, power=power, fair=False)
        for region in range(2):
            w = np.broadcast_to(weight[region], (3, 7, 7))
            expected = scoringrules.vs_ensemble(y, x, w, m_axis=0, p=power)
            np.testing.assert_allclose(ours[:, region], expected, atol=1e-6)


def test_energy_score_of_a_point_is_the_crps() -> None:
    x, y = draws(5, 9, 1, 1), draws(9, 1, 1, seed=1)
    ours = energy_score(x, y, np.ones((1, 1, 1)))[:, 0]
    np.testing.assert_allclose(ours, crps(x, y)[:, 0, 0], atol=1e-12)


@pytest.mark.parametrize("members", [2, 4])
def test_fair_scores_do_not_depend_on_the_number_of_members(members: int) -> None:
    y, few = draws(15_000, 3, 1), draws(members, 15_000, 3, 1, seed=1)
    many = draws(8, 15_000, 3, 1, seed=2)
    weight, pairs = np.full((1, 3, 1), 1 / 3), np.ones((1, 3, 3))
    for fair in (True, False):
        energy = [energy_score(x, y, weight, fair=fair).mean() for x in (few, many)]
        variogram = [
            variogram_score(x[..., 0], y[..., 0], pairs, fair=fair).mean() for x in (few, many)
        ]
        for a, b in (energy, variogram):
            assert (abs(a / b - 1) < 0.015) == fair


def test_shuffling_members_point_by_point_is_seen_by_joint_scores_only() -> None:
    walk = draws(21, 300, 1, 16).cumsum(-1)  # neighbours are alike
    x, y = walk[1:], walk[0]
    shuffled = np.random.default_rng(1).permuted(x, axis=0)
    np.testing.assert_allclose(crps(x, y), crps(shuffled, y))
    weight, pairs = cells(np.ones((1, 1)), 16), np.ones((1, 16, 16))
    energy = [energy_score(each, y, weight).mean() for each in (x, shuffled)]
    variogram = [variogram_score(each[:, :, 0], y[:, 0], pairs).mean() for each in (x, shuffled)]
    assert energy[1] > 1.01 * energy[0]
    assert variogram[1] > 1.2 * variogram[0]


def test_equal_members_have_no_distance_in_single_precision() -> None:
    x = np.repeat(55_000 + draws(1, 4, 8), 6, axis=0).astype(np.float32)
    y = x[0] + np.float32(0.5)
    assert energy_score(x, y, cells(np.full((1, 4), 0.25), 8))[0] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("shape", [(6, 12), (7, 11), (90, 180)])
def test_tiles_keep_the_mean_of_each_region(shape: tuple[int, int]) -> None:
    regions = region_weights(GRID, ["global", "tropics"])
    tiles = Tiles(GRID, regions, shape=shape)
    rows, columns = min(18, shape[0]), min(24, shape[1])
    assert tiles.weight.shape == (2, rows * columns, rows * columns)
    np.testing.assert_allclose(tiles.weight.sum((1, 2)), 1)
    np.testing.assert_allclose(tiles.weight, tiles.weight.swapaxes(1, 2))
    assert (np.diagonal(tiles.weight, axis1=1, axis2=2) == 0).all()
    np.testing.assert_allclose(tiles(np.ones((2, *GRID.shape))), 1)
    south = np.broadcast_to(-np.sign(GRID.latitude)[:, None], GRID.shape)
    np.testing.assert_allclose(tiles(south).reshape(rows, columns)[: rows // 2], 1)


def test_one_member_has_no_distance() -> None:
    x, y = draws(1, 2, 3), draws(2, 3, seed=1)
    norm = np.sqrt(((x[0] - y) ** 2).mean())
    assert energy_score(x, y, cells(np.full((1, 2), 0.5), 3))[0] == pytest.approx(norm)
    flat, pairs = x.reshape(1, 6), np.ones((1, 6, 6))
    fair, standard = (variogram_score(flat, y.ravel(), pairs, fair=f) for f in (True, False))
    np.testing.assert_array_equal(fair, standard)


def test_cross_variogram_is_that_of_scoringrules_over_pairs_of_variables() -> None:
    tiles = Tiles(GRID, region_weights(GRID, ["global", "tropics"]), shape=(3, 4))
    x, y = draws(6, 2, 12), draws(2, 12, seed=1)
    share, place = tiles.share, np.arange(12).reshape(3, 4)
    north = np.concatenate([place[1:], place[-1:]])
    expected, unfair = np.zeros(2), np.zeros(2)
    for near in (place, np.roll(place, -1, 1), north):
        for a, b in ((0, 1), (1, 0)):
            for tile, other in zip(place.ravel(), near.ravel(), strict=True):
                pair = np.array([x[:, a, tile], x[:, b, other]]).T
                true = np.array([y[a, tile], y[b, other]])
                score = scoringrules.vs_ensemble(true, pair, np.array([[0, 1], [0, 0]]), m_axis=0)
                spread = np.sqrt(np.abs(pair[:, 0] - pair[:, 1])).var(ddof=1) / 6
                unfair += share[:, tile] * score / 6
                expected += share[:, tile] * (score - spread) / 6
    np.testing.assert_allclose(cross_variogram_score(x, y, tiles), expected)
    np.testing.assert_allclose(cross_variogram_score(x[:1], y, tiles) > 0, True)
    assert (unfair > expected).all()


def test_cross_variogram_sees_that_variables_were_shuffled() -> None:
    tiles = Tiles(GRID, region_weights(GRID, ["global"]))
    first, noise = draws(21, 200, 72), 0.3 * draws(21, 200, 72, seed=1)
    both = np.stack([first, first + noise], 2)
    mixed = both.copy()
    mixed[1:, :, 1] = mixed[np.random.default_rng(2).permutation(20) + 1, :, 1]
    right, wrong = (
        np.mean([cross_variogram_score(each[1:, k], each[0, k], tiles) for k in range(200)])
        for each in (both, mixed)
    )
    assert wrong > 1.5 * right


def test_a_mask_weighs_the_cells_of_tiles_and_distances() -> None:
    mask = np.zeros(GRID.shape)
    mask[:, ::2] = 1
    weight = region_weights(GRID, ["global"], mask)
    tiles = Tiles(GRID, weight, mask)
    np.testing.assert_allclose(tiles.share.sum(1), 1)
    maps = np.where(mask > 0, 3.0, 1e6)
    np.testing.assert_allclose(tiles(maps), 3)
    x, y = np.where(mask > 0, draws(4, *GRID.shape), 1e6), np.where(mask > 0, 0.0, -1e6)
    expected = scoringrules.es_ensemble(
        np.zeros((1, mask.size)), (x * np.sqrt(weight[0])).reshape(4, 1, -1) * mask.ravel(),
        m_axis=0, estimator="fair",
    )  # fmt: skip
    np.testing.assert_allclose(energy_score(x, y, weight)[0], expected[0], rtol=1e-6)


def test_tiles_of_a_part_of_the_globe_are_the_same_wherever_it_lies() -> None:
    latitude, maps = np.linspace(30, 65, 8), np.random.default_rng(0).normal(size=(5, 2, 8, 24))
    here = Grid(latitude, np.arange(100.0, 148, 2))
    across = Grid(latitude, np.sort((here.longitude - 120) % 360))
    order = ((here.longitude - 120) % 360).argsort()
    plain, moved = (
        Tiles(grid, np.ones((1, 8, 24)) / 192, shape=(3, 4)) for grid in (here, across)
    )
    np.testing.assert_allclose(moved(maps[..., order]), plain(maps))
    for a, b in zip(
        moved.neighbours(moved(maps[..., order])), plain.neighbours(plain(maps)), strict=True
    ):
        np.testing.assert_allclose(a, b)
    east = plain.neighbours(plain(maps))[1].reshape(5, 2, 3, 4)
    np.testing.assert_allclose(east[..., -1], plain(maps).reshape(5, 2, 3, 4)[..., -1])
