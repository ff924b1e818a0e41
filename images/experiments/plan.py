"""Which predictors are trained for which table and which point of a sweep."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from images.experiments.settings import AblationConfig, Setup, Sweeps
from images.experiments.spec import Spec

TABLED = ("pixel", "bands 2", "bands 3", "latent", "softmax", "book", "planes", "signs")
"""Predictors behind the tables."""

UNITS = {
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
    """

    tabled: dict[str, list[Spec]]
    points: list[Point]

    def specs(self) -> list[Spec]:
        """Every run once; sweeps meet where their values are the usual ones."""
        groups = [self.tabled, *(point.runs for point in self.points)]
        return list(dict.fromkeys(s for group in groups for runs in group.values() for s in runs))


def plan(config: AblationConfig, available: int) -> Plan:
    """List the runs of an ablation of a data set with so many training images."""
    limit = min(available, config.setup.images or available)
    tabled = _runs(TABLED, config.seeds, replace(config.setup, images=limit))
    return Plan(tabled, _points(config.setup, config.sweeps, limit) if config.sweeps else [])


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


def _points(setup: Setup, sweeps: Sweeps, available: int) -> list[Point]:
    finest = f"product {max(sweeps.groups)}"
    names = ("pixel", "bands 2", "latent", "softmax", finest)
    values = {
        "images": sorted({min(count, available) for count in sweeps.images}),
        "sigma": sweeps.sigma,
        "width": sweeps.width,
    }
    points = [
        Point(
            sweep,
            value,
            _runs(names, sweeps.seeds, _swept(setup, sweeps, available, sweep, value)),
        )
        for sweep in values
        for value in values[sweep]
    ]
    usual = _swept(setup, sweeps, available, "images", available)
    for count in sweeps.groups:
        # One group is the softmax itself, so that its runs are shared.
        runs = _runs(("latent", f"product {count}"), sweeps.seeds, usual)
        points.append(Point("groups", count, runs))
    return points


def _swept(setup: Setup, sweeps: Sweeps, available: int, name: str, value: float) -> Setup:
    """The usual setup with one value changed, and epochs that come nearest the updates asked for."""
    varied = replace(setup, **{"images": available, name: value})
    steps = max(1, (varied.images or available) // setup.batch)
    return replace(
        varied,
        epochs=max(1, round(sweeps.updates / steps)),
        autoencoder_epochs=max(1, round(sweeps.autoencoder_updates / steps)),
        validations=sweeps.validations,
        shifted_sigma=varied.sigma + setup.shifted_sigma - setup.sigma,
    )


def _runs(names: Iterable[str], seeds: Iterable[int], setup: Setup) -> dict[str, list[Spec]]:
    return {name: [spec(name, seed, setup) for seed in seeds] for name in names}
