"""The three design claims of section 3.3, judged at every value of every sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from images.experiments.design import Design
from images.experiments.experiment import Experiment, Result
from images.experiments.paper import HIGH, MEAN, MSE, SETTLED_VARIATION, Quantity
from images.experiments.replication import Stat, compare

UPDATES = Quantity("updates", "updates to target", 0)


@dataclass(frozen=True)
class Claim:
    """The claim that some predictors are better than another.

    Args:
        text: The claim in words.
        challengers: The better predictors; "product" stands for every number of groups.
        base: The predictor they are better than.
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
    """One comparison at one value of a sweep.

    Args:
        better: 1 if the challenger is better, -1 if worse, 0 if they cannot be told apart.
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
        sweep: A key of `design.UNITS`.
        value: Value of what is varied.
        results: Quantities by name, one mapping per seed, by name of the predictor.
    """

    sweep: str
    value: float
    results: Mapping[str, Sequence[Mapping[str, float | None]]]

    def stat(self, name: str, key: str) -> Stat | None:
        """A quantity of a predictor over seeds; None where it was not computed."""
        measured = self.results[name]
        return Stat.of([values[key] for values in measured]) if key in measured[0] else None


def conditions(design: Design, results: Mapping[Experiment, Result]) -> list[Condition]:
    """Every value of every sweep; the first sweep is over the number of updates.

    At a constant learning rate a long training passes through the outcomes of shorter ones:
    its epochs 1, 2, 4, ... are taken.
    """
    course = {
        name: [results[experiment].history for experiment in experiments]
        for name, experiments in design.course.items()
    }
    epochs = len(next(iter(course.values()))[0]) if course else 0
    early = []
    for epoch in (2**n - 1 for n in range(epochs.bit_length())):
        rows = {name: [history[epoch] for history in each] for name, each in course.items()}
        early.append(Condition("updates", rows["pixel"][0]["step"], rows))
    return early + [
        Condition(
            point.sweep,
            point.value,
            {
                name: [results[experiment].values for experiment in experiments]
                for name, experiments in point.experiments.items()
            },
        )
        for point in design.points
    ]


def outcomes(found: Sequence[Condition]) -> list[Outcome]:
    """Judge every claim under every condition, by the rule for directions."""
    return [
        outcome
        for claim in CLAIMS
        for condition in found
        for name in condition.results
        if claim.base in condition.results and name.startswith(claim.challengers)
        for quantity in claim.quantities
        if (outcome := _outcome(claim, name, quantity, condition))
    ]


def _outcome(claim: Claim, name: str, quantity: Quantity, condition: Condition) -> Outcome | None:
    ours, base = (condition.stat(each, quantity.key) for each in (name, claim.base))
    if ours is None or base is None:
        return None
    better = -compare(ours, base) if quantity.lower else compare(ours, base)
    return Outcome(
        claim.text, name, quantity, condition.sweep, condition.value, ours, base, better
    )
