"""Choosing how to sample: guidance over the scales, and temperature, on training images only."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import torch

from images.data.load import Images
from images.evaluation.classifier import Evaluator
from images.evaluation.metrics import class_accuracy, frechet
from images.model import ImageModel
from refine_core.app.progress import Say, silent
from refine_core.config.schema import dump
from refine_core.errors import InputError
from refine_core.storage.files import write_json


@dataclass(frozen=True)
class Candidate:
    """One way to sample, and the scores of its samples.

    Args:
        guidance: Weight of guidance at the finest size.
        temperature: Temperature of every scale.
        power: How guidance rises with the size.
        frechet: Frechet distance to training images.
        accuracy: Share of samples recognised as their class.
    """

    guidance: float
    temperature: float
    power: float
    frechet: float
    accuracy: float

    def __str__(self) -> str:
        return "  ".join(f"{name} {value:.4g}" for name, value in asdict(self).items())


def tune(
    model: ImageModel,
    images: Images,
    judge: Evaluator,
    *,
    guidance: Sequence[float],
    temperature: Sequence[float],
    power: Sequence[float] = (0.0, 2.0),
    samples: int = 3000,
    seed: int = 1,
    accuracy: float = 0.98,
    say: Say = silent,
) -> tuple[ImageModel, list[Candidate]]:
    """Try every combination; return the model that samples best, and all that was measured.

    Guidance may rise from the coarsest size to the finest, as w (k / (K - 1)) ** power, and is the
    same for all parts of a size: strong guidance of coarse sizes costs variety, of fine ones it
    removes errors. Best is the smallest Frechet distance to training images among the combinations
    whose samples are recognised as their class at least as often as `accuracy`; if there is none,
    the most accurate is taken, and `say` is told. Test images are not used. Combinations that
    sample in the same way, such as no guidance with any power, are measured once.

    Args:
        model: The model to tune.
        images: Labelled images; only the training set is used.
        judge: The classifier that gives features and classes.
        guidance: Weights w of the finest size to try.
        temperature: Temperatures to try.
        power: Powers to try; 0 guides all sizes alike.
        samples: Samples of each combination; as many training images, chosen by `seed`, are
            compared with them.
        seed: Seed of the samples and of the choice of training images.
        accuracy: Least share of samples recognised as their class.
        say: Receives a line about each combination.

    Raises:
        InputError: The images have no labels, model, images and classifier do not fit, there is
            nothing to try, or fewer than two samples.
    """
    every = judge.checked_labels(images.train)
    count = min(samples, len(images.train))
    if count < 2:
        raise InputError(f"Found {count} images to compare, expected 2 or more.")
    chosen = torch.randperm(len(every), generator=torch.Generator().manual_seed(seed))[:count]
    real, labels = judge.evaluate(images.train.images[chosen]).features, every[chosen]
    tried: list[tuple[Candidate, ImageModel]] = []
    for w, t, p, tuned in _distinct(model, guidance, temperature, power):
        asked = labels if model.classes else None
        made = judge.evaluate(tuned.sample(count, seed=seed, labels=asked))
        scores = frechet(real, made.features), class_accuracy(made.logits, labels)
        tried.append((Candidate(w, t, p, *scores), tuned))
        say(str(tried[-1][0]))
    good = [pair for pair in tried if pair[0].accuracy >= accuracy]
    if not good:
        say(f"no accuracy reaches {accuracy:.0%}: the most accurate is taken")
    best = (
        min(good, key=lambda pair: pair[0].frechet)
        if good
        else max(tried, key=lambda pair: pair[0].accuracy)
    )
    return best[1], [candidate for candidate, _ in tried]


def _distinct(
    model: ImageModel,
    guidance: Sequence[float],
    temperature: Sequence[float],
    power: Sequence[float],
) -> list[tuple[float, float, float, ImageModel]]:
    """Combinations that sample differently, each with the model that samples so."""
    done = model.tokenizer.schedule.wholes
    found: dict[str, tuple[float, float, float, ImageModel]] = {}
    for w, t, p in product(guidance, temperature, power):
        weights = tuple(round(w * (size / max(done[-1], 1)) ** p, 4) for size in done)
        tuned = model.with_sampling(guidance=weights, temperature=(t,))
        found.setdefault(dump(tuned.config.sampling), (w, t, p, tuned))
    if not found:
        raise InputError(
            "Found nothing to try, expected one or more values of guidance, temperature and power."
        )
    return list(found.values())


def save_candidates(candidates: Sequence[Candidate], path: Path) -> None:
    """Write what `tune` measured as JSON."""
    rows = [asdict(candidate) for candidate in candidates]
    write_json(path, [{name: round(value, 5) for name, value in row.items()} for row in rows])
