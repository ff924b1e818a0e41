"""Under which conditions each of the three design claims of section 3.3 holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from images.experiments.paper import HIGH, MEAN, MSE, SETTLED_VARIATION, Quantity
from images.experiments.plan import Plan
from images.experiments.spec import Spec
from images.experiments.trial import Result
from images.experiments.verdict import Stat, compare

UPDATES = Quantity("updates", "updates to target", 0)


@dataclass(frozen=True)
class Claim:
    """That one predictor is better than another.

    Args:
        text: In words.
        challengers: Predictors of which it is said; "product" stands for every number of groups.
        base: What they are better than.
        quantities: In which respects.
    """

    text: str
    challengers: tuple[str, ...]
    base: str
    quantities: tuple[Quantity, ...]


CLAIMS = (
    Claim(
        "Refining in a learned latent space beats refining pixels",
        ("latent",),
        "pixel",
        (MSE, UPDATES),
    ),
    Claim(
        "Predicting discrete codes beats regression",
        ("softmax", "product"),
        "latent",
        (MSE, MEAN, SETTLED_VARIATION),
    ),
    Claim(
        "Predicting frequency bands coarse to fine beats a single shot",
        ("bands 2",),
        "pixel",
        (MSE, HIGH, UPDATES),
    ),
)


@dataclass(frozen=True)
class Outcome:
    """One comparison at one point of a sweep.

    Args:
        better: 1 the challenger is better, -1 worse, 0 not to be told apart.
    """

    claim: str
    challenger: str
    quantity: Quantity
    sweep: str
    value: float
    ours: Stat
    base: Stat
    better: int


@dataclass(frozen=True)
class Condition:
    """What was measured at one value of one sweep.

    Args:
        sweep: A key of `plan.UNITS`.
        value: Of what is varied.
        results: By name of the predictor, one per seed.
    """

    sweep: str
    value: float
    results: Mapping[str, Sequence[Result]]

    def stat(self, name: str, key: str) -> Stat | None:
        """A quantity of a predictor over seeds; None where it was not taken."""
        runs = self.results[name]
        return Stat.of([run[key] for run in runs]) if key in runs[0] else None


def conditions(plan: Plan, results: Mapping[Spec, Result]) -> list[Condition]:
    """Every point of every sweep; the first is over the course of training.

    At a constant learning rate the course of a long run is also the outcome of shorter ones.
    Epochs 1, 2, 4, ... of it are taken.
    """
    course = {
        name: [results[spec]["history"] for spec in specs] for name, specs in plan.course.items()
    }
    epochs = len(next(iter(course.values()))[0]) if course else 0
    early = [
        Condition("updates", histories["pixel"][0]["step"], histories)
        for n in range(epochs.bit_length())
        if (histories := {name: [run[2**n - 1] for run in runs] for name, runs in course.items()})
    ]
    return early + [
        Condition(
            point.sweep,
            point.value,
            {name: [results[spec] for spec in specs] for name, specs in point.runs.items()},
        )
        for point in plan.points
    ]


def outcomes(points: Sequence[Condition]) -> list[Outcome]:
    """Judge every claim at every point of every sweep, by the rule for directions."""
    return [
        outcome
        for claim in CLAIMS
        for point in points
        for name in point.results
        if claim.base in point.results and name.startswith(claim.challengers)
        for quantity in claim.quantities
        if (outcome := _judge(claim, name, quantity, point))
    ]


def _judge(claim: Claim, name: str, quantity: Quantity, point: Condition) -> Outcome | None:
    ours, base = (point.stat(each, quantity.key) for each in (name, claim.base))
    if ours is None or base is None:
        return None
    better = -compare(ours, base) if quantity.lower else compare(ours, base)
    return Outcome(claim.text, name, quantity, point.sweep, point.value, ours, base, better)
