"""Which predictors are trained for which table and which point of a sweep."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from images.experiments.settings import AblationConfig, Setup, Sweeps
from images.experiments.spec import Spec

TABLED = ("pixel", "bands 2", "bands 3", "latent", "softmax", "book", "planes", "signs")
"""Predictors behind the tables."""

SWEPT = ("pixel", "bands 2", "latent", "softmax")
"""Predictors of every sweep, beside the finest product code."""

UNITS = {
    "updates": "updates of training",
    "images": "training images",
    "sigma": "noise, in training and test",
    "width": "hidden width",
    "groups": "groups of product quantisation",
}
"""What each sweep varies."""


@dataclass(frozen=True)
class Point:
    """One value of one sweep.

    Args:
        sweep: A key of `UNITS`.
        value: Of what is varied.
        runs: Runs by name of the predictor, one per seed.
    """

    sweep: str
    value: float
    runs: dict[str, list[Spec]]


@dataclass(frozen=True)
class Plan:
    """All runs of an ablation.

    Args:
        tabled: Runs behind the tables by name of the predictor, one per seed.
        points: Of the sweeps.
        course: Runs followed epoch by epoch, by name of the predictor; one per seed.
    """

    tabled: dict[str, list[Spec]]
    points: list[Point]
    course: dict[str, list[Spec]]

    def specs(self) -> list[Spec]:
        """Every run once; sweeps meet where their values are the usual ones."""
        groups = [self.tabled, self.course, *(point.runs for point in self.points)]
        return list(dict.fromkeys(s for group in groups for runs in group.values() for s in runs))


def plan(config: AblationConfig, available: int) -> Plan:
    """List the runs of an ablation of a data set with so many training images."""
    limit = min(available, config.setup.images or available)
    usual = replace(config.setup, images=limit)
    tabled = _runs(TABLED, config.seeds, usual)
    if config.sweeps is None:
        return Plan(tabled, [], {})
    sweeps = config.sweeps
    followed = _budgeted(replace(usual, images=min(limit, sweeps.course_images)), sweeps)
    followed = replace(followed, validations=followed.epochs)
    names = (*SWEPT, _finest(sweeps))
    return Plan(tabled, _points(usual, sweeps), _runs(names, sweeps.seeds, followed))


def spec(name: str, seed: int, setup: Setup) -> Spec:
    """One predictor by its name: `pixel`, `bands 2`, `latent`, `product 16`, or a head.

    >>> spec("bands 2", 0, Setup()).scales, spec("product 16", 0, Setup()).groups
    (2, 16)
    """
    family, _, number = name.partition(" ")
    count = int(number or 1)
    if family in ("pixel", "bands"):
        return Spec("bands", seed, setup, scales=count)
    model = {"latent": "regression", "product": "softmax"}.get(family, family)
    return Spec(model, seed, setup, groups=count)


def _points(usual: Setup, sweeps: Sweeps) -> list[Point]:
    shift = usual.shifted_sigma - usual.sigma
    sizes = sorted({min(count, usual.images or count) for count in sweeps.images})
    varied: dict[str, list[tuple[float, Setup]]] = {
        "images": [(n, replace(usual, images=n)) for n in sizes],
        "sigma": [(s, replace(usual, sigma=s, shifted_sigma=s + shift)) for s in sweeps.sigma],
        "width": [(w, replace(usual, width=w)) for w in sweeps.width],
    }
    names = (*SWEPT, _finest(sweeps))
    points = [
        Point(sweep, value, _runs(names, sweeps.seeds, _budgeted(each, sweeps)))
        for sweep, values in varied.items()
        for value, each in values
    ]
    budgeted = _budgeted(usual, sweeps)
    for count in sweeps.groups:
        runs = _runs(("latent", f"product {count}"), sweeps.seeds, budgeted)
        points.append(Point("groups", count, runs))
    return points


def _finest(sweeps: Sweeps) -> str:
    return f"product {max(sweeps.groups)}"


def _budgeted(setup: Setup, sweeps: Sweeps) -> Setup:
    """The setup with the epochs that come nearest the updates asked for."""
    steps = max(1, (setup.images or setup.batch) // setup.batch)
    return replace(
        setup,
        epochs=max(1, round(sweeps.updates / steps)),
        autoencoder_epochs=max(1, round(sweeps.autoencoder_updates / steps)),
        validations=sweeps.validations,
    )


def _runs(names: Iterable[str], seeds: Iterable[int], setup: Setup) -> dict[str, list[Spec]]:
    return {name: [spec(name, seed, setup) for seed in seeds] for name in names}
