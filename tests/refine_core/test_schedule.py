"""A schedule is data."""

import math
from pathlib import Path

import pytest

from refine_core.errors import InputError
from refine_core.pyramid import area
from refine_core.schedule import Scale, ScaleSchedule

SCHEDULES = [
    ScaleSchedule.of([(1, 1), (3, 4)]),
    ScaleSchedule.geometric((1, 1), (16, 32), 5),
    ScaleSchedule.linear((2,), (8,), 4),
    ScaleSchedule((Scale(), Scale()), "markov"),
    ScaleSchedule.of([(1, 2), (4, 4)]).interleaved([1, 4]),
    ScaleSchedule.of([(1,), (2,)]).with_(
        temperature=[1.0, 0.5], top_k=4, guidance=[0.0, 2.0], top_p=0.9
    ),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_round_trip(schedule: ScaleSchedule, tmp_path: Path) -> None:
    schedule.save(tmp_path / "schedule.json")
    assert ScaleSchedule.load(tmp_path / "schedule.json") == schedule
    assert eval(repr(schedule)) == schedule


def test_growth() -> None:
    assert ScaleSchedule.linear((2,), (8,), 4).sizes == ((2,), (4,), (6,), (8,))
    assert ScaleSchedule.geometric((1, 2), (8, 16), 4).sizes == ((1, 2), (2, 4), (4, 8), (8, 16))


@pytest.mark.parametrize(("size", "count"), [((7,), 3), ((5, 5), 2), ((8, 16), 4), ((3, 4), 5)])
def test_parts_cover_all_cells_and_keep_neighbours_apart(
    size: tuple[int, ...], count: int
) -> None:
    parts = ScaleSchedule.of([size]).interleaved([count])
    where = {cell: k for k, scale in enumerate(parts) for cell in scale.cells}
    assert len(where) == sum(scale.tokens for scale in parts) == math.prod(size)
    for cell in where:
        if (cell + 1) % size[-1]:
            assert where[cell] != where[cell + 1]
        if len(size) > 1 and cell + size[-1] in where:
            assert where[cell] != where[cell + size[-1]]
    assert parts.complete == [count - 1]


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="one per scale"):
        ScaleSchedule.of([(1,), (2,)]).interleaved([1])
    with pytest.raises(InputError, match="part = "):
        Scale((1, 1), part=(1, 2))


def test_check_against_pyramid() -> None:
    sizes = [(1, 1), (4, 4)]
    ScaleSchedule.of(sizes).check(area(sizes).sizes)
    with pytest.raises(InputError, match="make them equal"):
        ScaleSchedule.of([(1, 1), (2, 2)]).check(area(sizes).sizes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": [1.0]}, "1 values for 2 scales"),
        ({"temprature": 1.0}, "Did you mean 'temperature'"),
        ({"top_p": 0.0}, "top_p = 0"),
        ({"top_k": 0}, "top_k = 0"),
        ({"temperature": -1.0}, "temperature = -1"),
    ],
)
def test_wrong_values(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ScaleSchedule.of([(1,), (2,)]).with_(**values)


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read"):
        ScaleSchedule.load(tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="not a scale schedule"):
        ScaleSchedule.load(tmp_path / "other.json")
