"""Regions: names, one's own, masks."""

import numpy as np
import pytest

from refine_core.errors import InputError
from weather.fields.grid import Grid
from weather.fields.regions import parse_region, region_weights, regional_mean

GRID = Grid(np.arange(-85.0, 90, 10), np.arange(0, 360, 10.0))


def test_a_region_of_ones_own_goes_over_the_meridian() -> None:
    cells = parse_region("europe=35,70,-10,40").cells(GRID)
    assert GRID.longitude[cells.any(0)].tolist() == [0, 10, 20, 30, 40, 350]
    assert GRID.latitude[cells.any(1)].tolist() == [35, 45, 55, 65]


@pytest.mark.parametrize("text", ["a=-20,20", "a=-20,20,0,360", "a=-20,20,-180,180"])
def test_a_region_without_longitudes_goes_around_the_globe(text: str) -> None:
    weight = region_weights(GRID, [text, "tropics"])
    np.testing.assert_allclose(weight[0], weight[1])


def test_the_pacific_lies_east_of_its_western_end() -> None:
    cells = parse_region("pacific=-10,10,150,-90").cells(GRID)
    assert GRID.longitude[cells.any(0)].tolist() == list(range(150, 280, 10))


def test_a_mask_is_multiplied_with_areas() -> None:
    mask = np.random.default_rng(0).random(GRID.shape)
    maps = np.random.default_rng(1).normal(size=(2, *GRID.shape))
    found = regional_mean(maps, region_weights(GRID, ["global"], mask))[:, 0]
    area = np.cos(np.deg2rad(GRID.latitude))[:, None] * mask
    for each, mean in zip(maps, found, strict=True):
        assert mean == pytest.approx(np.average(each, weights=area), rel=1e-3)


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (["tropic"], "Did you mean 'tropics'"),
        (["a=1"], "expected name=south,north,west,east"),
        (["=1,2"], "expected name=south"),
        (["a=20,10"], "the south below the north"),
        (["a=10,95"], "expected name=south"),
        (["a=10,20,nan,5"], "expected name=south"),
        (["a=x,20"], "expected name=south"),
        (["a=0,10", "a=0,20"], "two regions named 'a': give one another name"),
        (["a=1,2"], "In the region 'a', the grid has no cell: leave the region out."),
    ],
)
def test_regions_that_are_none_get_a_sentence(regions: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        region_weights(GRID, regions)


def test_a_mask_that_leaves_nothing_is_named() -> None:
    with pytest.raises(InputError, match="In the region 'tropics', the mask leaves no cell"):
        region_weights(GRID, ["tropics"], (np.abs(GRID.latitude) > 30)[:, None] * np.ones(36))
