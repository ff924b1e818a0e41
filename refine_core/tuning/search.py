"""Search over settings under a budget: sizes, parts, temperatures, guidance, methods' fields.

Settings are points of a finite space, a list of values for each name. What a point costs at a
fidelity (images sampled, epochs trained) and how good it is, the caller says; a score is better
when lower. Whatever was measured is in a file, so that a search goes on where it was stopped.

- Successive halving (Jamieson and Talwalkar, 2016, arXiv 1502.07943): random points are measured
  at the lowest fidelity, the best 1 / eta of them at the next, and so on.
- Coordinate search: from the best point on, one name after the other takes each of its values,
  the others staying, until a round changes nothing.
"""

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from refine_core.app.progress import Say, silent
from refine_core.errors import InputError
from refine_core.storage.files import read_json, write_json

Settings = Mapping[str, object]
"""JSON values by name."""
Space = Mapping[str, Sequence[object]]
"""Values to try by name."""


@dataclass(frozen=True)
class Trial:
    """A point that was measured.

    Args:
        settings: The point.
        fidelity: At what it was measured, such as a number of images.
        score: Lower is better.
        cost: In the unit of the budget.
        details: What else was measured.
    """

    settings: dict[str, object]
    fidelity: int
    score: float
    cost: float
    details: dict[str, float]


@dataclass(frozen=True)
class Measured:
    """What measuring a point gave."""

    score: float
    cost: float
    details: dict[str, float]


Measure = Callable[[Settings, int], Measured]
"""Measure a point at a fidelity."""


class TrialRecord:
    """Trials that are kept, so that a search which was stopped goes on.

    Args:
        path: A JSON file; None keeps nothing.
        of: All that scores depend on beside settings and fidelity, or a digest of it.

    Raises:
        InputError: The file is damaged, or of something else.
    """

    def __init__(self, path: Path | None = None, of: str = "") -> None:
        self.path, self.of = path, of
        self._known: dict[str, Trial] = {}
        if path is None or not path.exists():
            return
        remedy = "delete it, or choose another --out"
        found = read_json(path, dict, remedy)
        try:
            other = found["of"] != of
            for row in found["trials"]:
                self._known[_key(row["settings"], row["fidelity"])] = Trial(**row)
        except (KeyError, TypeError):
            raise InputError(f"{path} does not hold the trials of a search: {remedy}.") from None
        if other:
            raise InputError(
                f"{path} holds trials of another model, data or score, expected those of this "
                f"search: {remedy}."
            )

    def find(self, settings: Settings, fidelity: int) -> Trial | None:
        """The trial of a point at a fidelity; None if there is none."""
        return self._known.get(_key(settings, fidelity))

    def add(self, trial: Trial) -> None:
        """Keep a trial."""
        self._known[_key(trial.settings, trial.fidelity)] = trial
        if self.path is not None:
            rows = [vars(each) for each in self._known.values()]
            write_json(self.path, {"of": self.of, "trials": rows})


class Trials:
    """All that a search has measured, and the budget that is left.

    Args:
        measure: Measures a point; called once for each point and fidelity.
        budget: Largest sum of costs; the trial that reaches it is the last.
        record: Trials of before, which are not measured again, and where those of now are kept.
        say: Receives a line about each trial.
    """

    def __init__(
        self,
        measure: Measure,
        budget: float,
        record: TrialRecord | None = None,
        say: Say = silent,
    ) -> None:
        self.measure, self.budget, self.say = measure, budget, say
        self.record = TrialRecord() if record is None else record
        self.made: list[Trial] = []

    @property
    def spent(self) -> float:
        """Sum of the costs of this search's trials."""
        return sum(trial.cost for trial in self.made)

    def __call__(self, settings: Settings, fidelity: int) -> Trial | None:
        """The trial of a point at a fidelity, measured if it was not; None if nothing is left."""
        trial = self.record.find(settings, fidelity)
        if trial in self.made:
            return trial
        if self.spent >= self.budget:
            return None
        if trial is None:
            trial = Trial(dict(settings), fidelity, **vars(self.measure(settings, fidelity)))
            self.record.add(trial)
            self.say(f"{trial.score:.4g} at {fidelity}: {dict(settings)}")
        self.made.append(trial)
        return trial

    def best(self) -> Trial:
        """The best trial at the highest fidelity that any was measured at.

        Raises:
            InputError: Nothing was measured.
        """
        if not self.made:
            raise InputError("Found nothing measured: give a budget for one trial or more.")
        highest = max(trial.fidelity for trial in self.made)
        return min((t for t in self.made if t.fidelity == highest), key=lambda t: t.score)


def successive_halving(
    space: Space,
    trials: Trials,
    fidelities: Sequence[int],
    *,
    count: int,
    eta: int = 3,
    seed: int = 0,
) -> list[Trial]:
    """Measure random points, and the best of them at higher and higher fidelities.

    Args:
        space: The values to try.
        trials: What measures; the search ends early when its budget does.
        fidelities: In ascending order.
        count: Points at the lowest fidelity, at most as many as the space has.
        eta: A share 1 / eta goes on to the next fidelity, one point or more.
        seed: Of the random points.

    Returns:
        The trials of the last fidelity that was reached, best first.

    Raises:
        InputError: The space is empty, or a number is out of its range.
    """
    if not fidelities or list(fidelities) != sorted(set(fidelities)) or count < 1 or eta < 2:
        raise InputError(
            f"Found fidelities {list(fidelities)}, {count} points and eta {eta}, expected "
            "ascending fidelities, a point or more, and eta 2 or more."
        )
    points = random_points(space, count, seed)
    ranked: list[Trial] = []
    for fidelity in fidelities:
        found = [trial for point in points if (trial := trials(point, fidelity)) is not None]
        if len(found) < len(points) and ranked:
            break
        ranked = sorted(found, key=lambda trial: trial.score)
        points = [trial.settings for trial in ranked[: max(1, len(ranked) // eta)]]
    return ranked


def coordinate_search(
    space: Space, trials: Trials, fidelity: int, start: Settings, *, rounds: int = 3
) -> Trial | None:
    """Change one setting after the other to its best value, from a point on.

    Args:
        space: The values to try; names that it lacks stay as they are.
        trials: What measures; the search ends early when its budget does.
        fidelity: Of all trials.
        start: The point.
        rounds: Most passes through all names.

    Returns:
        The best trial; None if there was no budget for any.
    """
    best = trials(start, fidelity)
    for _ in range(rounds):
        before = best
        for name, values in space.items():
            for value in values:
                if best is None:
                    return None
                trial = trials({**best.settings, name: value}, fidelity)
                if trial is not None and trial.score < best.score:
                    best = trial
        if best is before:
            break
    return best


def random_points(space: Space, count: int, seed: int) -> list[dict[str, object]]:
    """Distinct points of a space in random order, all if there are fewer.

    >>> random_points({"a": [1, 2], "b": [True]}, 5, seed=0)
    [{'a': 2, 'b': True}, {'a': 1, 'b': True}]

    Raises:
        InputError: The space has no name, or a name no value.
    """
    if not space or not all(space.values()):
        raise InputError("Found a space without a value, expected one or more for each name.")
    size = math.prod(len(values) for values in space.values())
    drawn = random.Random(seed).sample(range(size), min(count, size))
    points = []
    for number in drawn:
        point = {}
        for name, values in space.items():
            number, place = divmod(number, len(values))
            point[name] = values[place]
        points.append(point)
    return points


def _key(settings: Settings, fidelity: int) -> str:
    return json.dumps([dict(settings), fidelity], sort_keys=True)
