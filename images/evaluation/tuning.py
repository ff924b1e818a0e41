"""Choosing how to sample: guidance over the scales, and temperature, on training images only."""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import torch

from images.data.load import Images
from images.evaluation.classifier import Evaluator
from images.evaluation.metrics import class_accuracy, frechet
from images.model import ImageModel
from refine_core.errors import InputError
from refine_core.schedule import ScaleSchedule
from refine_core.storage.files import write_json

Row = dict[str, float]


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
    say: Callable[[str], None] = lambda _: None,
) -> tuple[ImageModel, list[Row]]:
    """Try every combination; return the best model and all that was measured.

    Guidance may rise from the coarsest size to the finest, as w (k / (K - 1)) ** power, alike for
    all parts of a size: strong guidance of coarse scales costs variety, of fine ones it removes
    errors. Best is the smallest
    Frechet distance to training images among the combinations whose samples are recognised as
    their class at least as often as `accuracy`; without one, the most accurate. Test images stay
    unseen.

    Args:
        model: To be tuned.
        images: Only the training part is looked at.
        judge: Gives features and classes.
        guidance: Weights w of the finest scale to try.
        temperature: Temperatures to try.
        power: Powers to try; 0 guides all scales alike.
        samples: Drawn for each, and compared with as many training images, drawn by `seed`.
        seed: Of the samples and of the training images.
        accuracy: Least share of samples recognised as their class.
        say: Receives a line about each combination.

    Raises:
        InputError: If the images have no labels.
    """
    if images.train.labels is None:
        raise InputError("Sampling is tuned by class, but the images have no labels.")
    count = min(samples, len(images.train))
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(images.train), generator=generator)[:count]
    labels = images.train.labels[chosen]
    real = judge.evaluate(images.train.images[chosen]).features
    rows: list[Row] = []
    for weight, heat, rise in product(guidance, temperature, power):
        trial = model.with_sampling(**_setting(weight, heat, rise, model.schedule))
        made = judge.evaluate(trial.sample(count, seed=seed, labels=labels))
        row = {
            "guidance": weight,
            "temperature": heat,
            "power": rise,
            "frechet": frechet(real, made.features),
            "accuracy": class_accuracy(made.logits, labels),
        }
        rows.append(row)
        say("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
    good = [row for row in rows if row["accuracy"] >= accuracy]
    best = (
        min(good, key=lambda row: row["frechet"])
        if good
        else max(rows, key=lambda row: row["accuracy"])
    )
    setting = _setting(best["guidance"], best["temperature"], best["power"], model.schedule)
    return model.with_sampling(**setting), rows


def _setting(
    weight: float, heat: float, rise: float, schedule: ScaleSchedule
) -> dict[str, tuple[float, ...]]:
    finest = max(schedule.wholes[-1], 1)
    share = [(size / finest) ** rise for size in schedule.wholes]
    return {"guidance": tuple(round(weight * s, 4) for s in share), "temperature": (heat,)}


def save_rows(rows: list[Row], path: Path) -> None:
    """Write what `tune` measured as JSON."""
    write_json(path, [{name: round(value, 5) for name, value in row.items()} for row in rows])
