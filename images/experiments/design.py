"""The experiments behind each table of the paper and each value of a sweep."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from images.experiments.config import AblationConfig, Setup, Sweeps
from images.experiments.experiment import Experiment
from refine_core.errors import InputError

TABLED = ("pixel", "bands 2", "bands 3", "latent", "softmax", "book", "planes", "signs")
"""Predictors behind the tables."""

SWEPT = ("pixel", "bands 2", "latent", "softmax")
"""Predictors in every sweep, beside the product code of most groups."""

UNITS = {
    "updates": "updates of training",
    "images": "training images",
    "sigma": "noise, in training and test",
    "width": "hidden width",
    "groups": "groups of product quantisation",
}
"""What each sweep varies."""

ByPredictor = dict[str, list[Experiment]]
"""Experiments by name of the predictor, one per seed."""


@dataclass(frozen=True)
class SweepPoint:
    """One value of one sweep.

    Args:
        sweep: A key of `UNITS`.
        value: Value of what is varied.
        experiments: Experiments at that value.
    """

    sweep: str
    value: float
    experiments: ByPredictor


@dataclass(frozen=True)
class Design:
    """All experiments of an ablation.

    Args:
        tabled: Experiments behind the tables.
        points: Values of the sweeps.
        course: Experiments whose test error is computed after every epoch.
    """

    tabled: ByPredictor
    points: list[SweepPoint]
    course: ByPredictor

    @classmethod
    def of(cls, config: AblationConfig, available: int) -> "Design":
        """Design of an ablation on a data set with `available` training images.

        Raises:
            InputError: An experiment has fewer training images than a batch.
        """
        limit = min(available, config.setup.images or available)
        usual = replace(config.setup, images=limit)
        tabled = _by_predictor(TABLED, config.seeds, usual)
        if config.sweeps is None:
            return cls(tabled, [], {}).checked()
        sweeps = config.sweeps
        every = _budgeted(replace(usual, images=min(limit, sweeps.course_images)), sweeps)
        every = replace(every, validations=every.epochs)
        names = (*SWEPT, _most_groups(sweeps))
        points = _sweep_points(usual, sweeps)
        return cls(tabled, points, _by_predictor(names, sweeps.seeds, every)).checked()

    def checked(self) -> "Design":
        """The design itself, if every experiment has a batch of training images."""
        for setup in dict.fromkeys(each.setup for each in self.experiments()):
            if setup.images is not None and setup.images < setup.batch:
                raise InputError(
                    f"Found a batch of {setup.batch} for {setup.images} training images: give "
                    "more images, larger `sweeps.images`, or a smaller `setup.batch`."
                )
        return self

    def experiments(self) -> list[Experiment]:
        """Every experiment once; sweeps share those at the usual values."""
        groups = [self.tabled, self.course, *(point.experiments for point in self.points)]
        return list(
            dict.fromkeys(e for group in groups for found in group.values() for e in found)
        )


def experiment(name: str, seed: int, setup: Setup) -> Experiment:
    """Experiment of a predictor: `pixel`, `bands 2`, `latent`, `product 16`, or a head.

    >>> experiment("bands 2", 0, Setup()).scales, experiment("product 16", 0, Setup()).groups
    (2, 16)
    """
    family, _, number = name.partition(" ")
    count = int(number or 1)
    if family in ("pixel", "bands"):
        return Experiment("bands", seed, setup, scales=count)
    model = {"latent": "regression", "product": "softmax"}.get(family, family)
    return Experiment(model, seed, setup, groups=count)


def _sweep_points(usual: Setup, sweeps: Sweeps) -> list[SweepPoint]:
    shift = usual.shifted_sigma - usual.sigma
    sizes = sorted({min(count, usual.images or count) for count in sweeps.images})
    varied: dict[str, list[tuple[float, Setup]]] = {
        "images": [(n, replace(usual, images=n)) for n in sizes],
        "sigma": [(s, replace(usual, sigma=s, shifted_sigma=s + shift)) for s in sweeps.sigma],
        "width": [(w, replace(usual, width=w)) for w in sweeps.width],
    }
    names = (*SWEPT, _most_groups(sweeps))
    points = [
        SweepPoint(sweep, value, _by_predictor(names, sweeps.seeds, _budgeted(setup, sweeps)))
        for sweep, values in varied.items()
        for value, setup in values
    ]
    budgeted = _budgeted(usual, sweeps)
    for count in sweeps.groups:
        pair = ("latent", f"product {count}")
        points.append(SweepPoint("groups", count, _by_predictor(pair, sweeps.seeds, budgeted)))
    return points


def _most_groups(sweeps: Sweeps) -> str:
    return f"product {max(sweeps.groups)}"


def _budgeted(setup: Setup, sweeps: Sweeps) -> Setup:
    """The setup with the count of epochs that comes nearest to the sweeps' count of updates."""
    steps = max(1, (setup.images or setup.batch) // setup.batch)
    return replace(
        setup,
        epochs=max(1, round(sweeps.updates / steps)),
        autoencoder_epochs=max(1, round(sweeps.autoencoder_updates / steps)),
        validations=sweeps.validations,
    )


def _by_predictor(names: Iterable[str], seeds: Iterable[int], setup: Setup) -> ByPredictor:
    return {name: [experiment(name, seed, setup) for seed in seeds] for name in names}
