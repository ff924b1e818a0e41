"""A schedule is data: sizes, parts and codes, coarse to fine."""

import math
from typing import Literal

import pytest

from refine_core.errors import InputError
from refine_core.pyramid import area
from refine_core.sampling.settings import Sampling
from refine_core.schedule import Scale, ScaleSchedule, per_scale

SCHEDULES = [
    ScaleSchedule.of([(1, 1), (3, 4)]),
    ScaleSchedule.geometric((1, 1), (16, 32), 5),
    ScaleSchedule((Scale(), Scale())),
    ScaleSchedule.of([(1, 2), (4, 4)], codes=[8, 16], parts=[1, 4]),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_representation_makes_an_equal_one(schedule: ScaleSchedule) -> None:
    assert eval(repr(schedule)) == schedule


def test_growth() -> None:
    assert ScaleSchedule.geometric((1, 2), (8, 16), 4).sizes == ((1, 2), (2, 4), (4, 8), (8, 16))
    with pytest.raises(InputError, match="2 scales or more, found 1"):
        ScaleSchedule.geometric((1,), (8,), 1)


@pytest.mark.parametrize(("size", "count"), [((7,), 3), ((5, 5), 2), ((8, 16), 4), ((3, 4), 5)])
def test_parts_cover_all_cells_and_keep_neighbours_apart(
    size: tuple[int, ...], count: int
) -> None:
    parts = ScaleSchedule.of([size], parts=[count])
    where = {cell: k for k, scale in enumerate(parts) for cell in scale.cells}
    assert len(where) == sum(scale.tokens for scale in parts) == math.prod(size)
    for cell in where:
        if (cell + 1) % size[-1]:
            assert where[cell] != where[cell + 1]
        if len(size) > 1 and cell + size[-1] in where:
            assert where[cell] != where[cell + size[-1]]
    assert parts.complete == [count - 1]


@pytest.mark.parametrize("order", ["random", "raster"])
def test_other_orders_share_out_all_cells(order: Literal["random", "raster"]) -> None:
    parts = ScaleSchedule.of([(5, 5)], parts=[3], order=order)
    cells = [cell for scale in parts for cell in scale.cells]
    assert sorted(cells) == list(range(25)) and (cells == list(range(25))) == (order == "raster")
    assert max(scale.tokens for scale in parts) - min(scale.tokens for scale in parts) <= 1


def test_unknown_order() -> None:
    with pytest.raises(InputError, match="Did you mean 'raster'"):
        Scale((2, 2), order="rastar")  # type: ignore[arg-type]


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="2 values for 3 scales: give one for all"):
        ScaleSchedule.of([(1,), (2,), (3,)], parts=[1, 2])
    with pytest.raises(InputError, match="part = "):
        Scale((1, 1), part=(1, 2))


def test_check_against_pyramid() -> None:
    sizes = [(1, 1), (4, 4)]
    ScaleSchedule.of(sizes).check(area(sizes).sizes)
    with pytest.raises(InputError, match="make them equal"):
        ScaleSchedule.of([(1, 1), (2, 2)]).check(area(sizes).sizes)


def test_one_value_for_all_or_one_each() -> None:
    assert per_scale("codes", [3], 2) == [3, 3] and per_scale("codes", [3, 4], 2) == [3, 4]
    each = Sampling.per_scale(2, temperature=[1.0, 0.5], top_k=4, guidance=[2.0], top_p=[0.9])
    assert each == (Sampling(1.0, 4, 0.9, 2.0), Sampling(0.5, 4, 0.9, 2.0))
    with pytest.raises(InputError, match="temperature has 3 values for 2 scales"):
        Sampling.per_scale(2, temperature=[1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"top_p": 0.0}, "top_p is 0.0, expected above 0"),
        ({"top_k": 0}, "top_k is 0, expected one or more"),
        ({"temperature": -1.0}, "temperature is -1.0, expected zero or more"),
        ({"guidance": -1.0}, "guidance is -1.0, expected above -1"),
    ],
)
def test_wrong_values(values: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sampling(**values)  # type: ignore[arg-type]
