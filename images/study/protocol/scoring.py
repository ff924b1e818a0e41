"""What all jobs of a study share: its images, the classifier that scores, and how it scores."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from images.data.load import Images, LabelledImages
from images.evaluation.classifier import Evaluation, Evaluator, load_evaluator
from images.evaluation.metrics import class_accuracy, frechet
from images.evaluation.neighbours import neighbourhoods
from images.study.config import StudyConfig
from images.study.likelihood import grey
from images.study.model import Setting, StudyModel
from refine_core.app.parallel import Tick
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.storage.files import digest
from refine_core.transformer import Transformer

BATCH = 250
"""Images sampled at a time; rounding depends on it, so it is the same everywhere."""
SCORES = ("frechet", "accuracy", "precision", "recall", "density", "coverage")
Scores = dict[str, float | None]
"""Scores by name; None where samples are not finite."""
Reference = Literal["test", "held"]


@dataclass(frozen=True)
class Bench:
    """The data of a study, and its scores.

    Args:
        config: The study.
        train: Images that arms are trained on.
        held: Training images that are held out, by which everything is tuned.
        test: Images of the final scores.
        classes: Count of classes.
        folder: Where runs and results are kept.
    """

    config: StudyConfig
    train: LabelledImages
    held: LabelledImages
    test: LabelledImages
    classes: int
    folder: Path

    @classmethod
    def of(cls, config: StudyConfig, images: Images, folder: Path) -> "Bench":
        """Divide images into those to train on, those held out, and the test set.

        Raises:
            InputError: They have no labels, do not fit the classifier, or are too few.
        """
        every = images.train[: config.images]
        count = len(every) - config.tuning.images
        _check(config, count, len(images.test))
        train, held = every[:count], every[count:]
        bench = cls(config, train, held, images.test, images.classes, folder)
        if images.shape[0] != 1:
            raise InputError(
                f"Found images of {images.shape[0]} channels, expected grey ones: the study's "
                "likelihoods and pictures are of these."
            )
        for part in (train, held, images.test):
            bench.judge.checked_labels(part)
        _check_classes(images.test, images.classes)
        if config.measurement.bits_images:
            grey(images.test.images)
        return bench

    def portable(self) -> "Callable[[], Bench]":
        """Makes an equal one in another process."""
        parts = self.train, self.held, self.test
        return partial(Bench, self.config, *parts, self.classes, self.folder)

    @cached_property
    def judge(self) -> Evaluator:
        """The classifier of features and classes."""
        return load_evaluator(self.config.judge)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of images, classifier and version of torch, on which every result depends."""
        arrays = [a for part in (self.train, self.held, self.test) for a in part.arrays]
        return digest(f"{torch.__version__} {self.judge.digest}", *arrays)

    @cached_property
    def _evaluated(self) -> dict[tuple[Reference, int], Evaluation]:
        return {}

    def real(self, which: Reference, count: int) -> LabelledImages:
        """`count` images spread over the test set, or the first of those held out.

        The first half of MNIST's test images is of other writers than the second, and easier.
        """
        if which == "held":
            return self.held[:count]
        return self.test[torch.arange(count) * len(self.test) // count]

    def labels(self, which: Reference, count: int) -> Tensor:
        """Their classes."""
        labels = self.real(which, count).labels
        assert labels is not None
        return labels

    def reference(self, which: Reference, count: int) -> Evaluation:
        """Their features and logits, computed once."""
        if (which, count) not in self._evaluated:
            evaluated = self.judge.evaluate(self.real(which, count).images)
            self._evaluated[which, count] = evaluated
        return self._evaluated[which, count]

    def score(self, images: Tensor, which: Reference, *, brief: bool = False) -> Scores:
        """Compare images (n, c, h, w) with as many of a reference, whose classes they have.

        Args:
            images: In [0, 1].
            which: The reference.
            brief: Whether to compute the Frechet distance and the accuracy only.

        Returns:
            A number for each of `SCORES`.
        """
        if not images.isfinite().all():
            return dict.fromkeys(SCORES)
        made, real = self.judge.evaluate(images), self.reference(which, len(images))
        near = {} if brief else asdict(neighbourhoods(real.features, made.features))
        return {
            "frechet": frechet(real.features, made.features),
            "accuracy": class_accuracy(made.logits, self.labels(which, len(images))),
            **near,
        }


def sample(
    model: StudyModel,
    bench: Bench,
    setting: Setting,
    count: int,
    which: Reference,
    seed: int,
    tick: Tick = lambda share: None,
) -> Tensor:
    """Sample images (count, c, h, w) of the classes of as many of a reference.

    Args:
        model: A trained arm.
        bench: The study's data.
        setting: How to sample.
        count: Count of images.
        which: The reference.
        seed: Seed of the samples.
        tick: Called after each batch with its share of the work.
    """
    labels, parts = bench.labels(which, count), []
    with torch.no_grad(), as_trained(model.eval(), bench.config.budget.precision):
        for index in torch.arange(count).split(BATCH):
            parts.append(model.sample(Noise(seed, index), labels[index], setting))
            tick(len(index) / count)
    return torch.cat(parts)


@contextmanager
def as_trained(model: nn.Module, precision: str) -> Iterator[None]:
    """Compute transformers in the precision that they were trained in, and all else in single.

    Decoders stay as they are, for bfloat16 has fewer steps than grey levels.
    """
    if precision != "bf16-mixed":
        yield
        return
    open_: list[torch.autocast] = []

    def enter(module: nn.Module, inputs: tuple[object, ...]) -> None:
        open_.append(torch.autocast("cpu", torch.bfloat16))
        open_[-1].__enter__()

    def leave(module: nn.Module, inputs: tuple[object, ...], output: Tensor) -> Tensor:
        open_.pop().__exit__(None, None, None)
        return output.float()

    found = [module for module in model.modules() if isinstance(module, Transformer)]
    hooks = [module.register_forward_pre_hook(enter) for module in found]
    hooks += [module.register_forward_hook(leave) for module in found]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        while open_:
            open_.pop().__exit__(None, None, None)


def distance(scores: Scores) -> float:
    """The Frechet distance of scores; infinite where samples were not finite."""
    found = scores["frechet"]
    return math.inf if found is None else found


def _check(config: StudyConfig, train: int, test: int) -> None:
    """Refuse more samples than there are images to compare them with."""
    tuning, measurement = config.tuning, config.measurement
    for name, count, most, of in (
        ("tuning.samples", tuning.samples, tuning.images, "held-out images (tuning.images)"),
        ("measurement.samples", measurement.samples, test, "test images"),
        ("measurement.samples", measurement.samples, train, "training images"),
        ("measurement.bits_images", measurement.bits_images, test, "test images"),
        ("measurement.energy_samples", measurement.energy_samples, test, "test images"),
        ("budget.batch", config.budget.batch, train, "training images"),
    ):
        if count > most:
            raise InputError(
                f"Found `{name}` {count}, but there are {max(most, 0)} {of}: ask for fewer, or "
                "give more images."
            )


def _check_classes(test: LabelledImages, classes: int) -> None:
    """Refuse classes without a test image."""
    assert test.labels is not None
    absent = sorted(set(range(classes)) - set(test.labels.tolist()))
    if absent:
        raise InputError(
            f"Found no test image of class {absent[0]} of 0 to {classes - 1}: number classes from "
            "0, and give images of each."
        )
