"""Searches find the best of a space, within their budget, and go on where they stopped."""

from pathlib import Path

import pytest

from refine_core.errors import InputError
from refine_core.tuning.search import (
    Measured,
    Settings,
    Space,
    TrialRecord,
    Trials,
    coordinate_search,
    random_points,
    successive_halving,
)

SPACE: Space = {"a": [0, 1, 2, 3], "b": [0, 1, 2], "sizes": [[1, 2], [1, 2, 4]]}
BEST = {"a": 2, "b": 1, "sizes": [1, 2, 4]}


class Bowl:
    """A convex score, noisier at lower fidelities, which counts its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, object], int]] = []

    def __call__(self, settings: Settings, fidelity: int) -> Measured:
        self.calls.append((dict(settings), fidelity))
        a, b, sizes = (settings[name] for name in ("a", "b", "sizes"))
        assert isinstance(a, int) and isinstance(b, int) and isinstance(sizes, list)
        score = (a - 2) ** 2 + (b - 1) ** 2 + (len(sizes) == 2) * 0.5 + 0.01 / fidelity
        return Measured(score, float(fidelity), {"a": float(a)})


def test_points_are_distinct_and_all_of_a_small_space() -> None:
    points = random_points(SPACE, 100, seed=1)
    assert len(points) == 24 and len({str(point) for point in points}) == 24
    assert points[:5] == random_points(SPACE, 100, seed=1)[:5] != random_points(SPACE, 5, seed=2)


def test_halving_keeps_the_best_for_higher_fidelities() -> None:
    measure = Bowl()
    ranked = successive_halving(SPACE, Trials(measure, 1e9), [1, 3, 9], count=24)
    assert ranked[0].settings == BEST and ranked[0].fidelity == 9
    assert [sum(f == fidelity for _, f in measure.calls) for fidelity in (1, 3, 9)] == [24, 8, 2]


def test_coordinates_lead_to_the_best() -> None:
    trials = Trials(Bowl(), 1e9)
    start = {"a": 0, "b": 2, "sizes": [1, 2], "other": 7}
    found = coordinate_search(SPACE, trials, 5, start)
    assert found is not None and found.settings == {**BEST, "other": 7}
    assert len(trials.made) < 24


def test_the_budget_holds() -> None:
    measure = Bowl()
    trials = Trials(measure, 10)
    successive_halving(SPACE, trials, [1, 3], count=24)
    assert len(measure.calls) == 10 == trials.spent
    assert coordinate_search(SPACE, trials, 3, BEST) is None
    assert trials.best().fidelity == 1
    with pytest.raises(InputError, match="give a budget for one trial or more"):
        Trials(measure, 0).best()


def test_an_unfinished_fidelity_does_not_decide() -> None:
    ranked = successive_halving(SPACE, Trials(Bowl(), 27), [1, 3], count=24)
    assert len(ranked) == 24 and ranked[0].fidelity == 1


def test_a_stopped_search_goes_on(tmp_path: Path) -> None:
    path, first, second = tmp_path / "trials.json", Bowl(), Bowl()
    successive_halving(SPACE, Trials(first, 12, TrialRecord(path, "a")), [1, 3], count=24)
    again = Trials(second, 1e9, TrialRecord(path, "a"))
    ranked = successive_halving(SPACE, again, [1, 3], count=24)
    whole = successive_halving(SPACE, Trials(Bowl(), 1e9), [1, 3], count=24)
    assert ranked == whole
    assert len(first.calls) == 12 and len(second.calls) == 24 + 8 - 12


def test_trials_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "trials.json"
    successive_halving(SPACE, Trials(Bowl(), 2, TrialRecord(path, "a")), [1], count=2)
    with pytest.raises(InputError, match="trials of another model, data or score"):
        TrialRecord(path, "b")
    for content, message in (("[]", "is damaged"), ("{}", "does not hold the trials of a search")):
        path.write_text(content)
        with pytest.raises(InputError, match=f"{message}.*: delete it, or choose another --out"):
            TrialRecord(path, "a")


@pytest.mark.parametrize("change", [{"fidelities": [3, 1]}, {"count": 0}, {"eta": 1}])
def test_numbers_out_of_range_are_refused(change: dict[str, object]) -> None:
    settings = {"fidelities": [1, 3], "count": 2, **change}
    with pytest.raises(InputError, match="expected ascending fidelities, a point or more"):
        successive_halving(SPACE, Trials(Bowl(), 9), **settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Found a space without a value"):
        random_points({"a": []}, 2, 0)
