"""Choosing how to sample: guidance and temperature, judged on training images only."""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import torch

from images.data import Images
from images.evaluator import Evaluator
from images.metrics import class_accuracy, frechet
from images.trained import ImageModel
from refine_core.errors import InputError
from refine_core.files import write_json

Row = dict[str, float]


def tune(
    model: ImageModel,
    images: Images,
    judge: Evaluator,
    *,
    guidance: Sequence[float],
    temperature: Sequence[float],
    samples: int = 3000,
    seed: int = 1,
    accuracy: float = 0.98,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[ImageModel, list[Row]]:
    """Try every pair of guidance and temperature; return the best model and all that was measured.

    Best is the smallest Frechet distance to training images among the pairs whose samples are
    recognised as their class at least as often as `accuracy`; without such a pair, the most
    accurate. Test images stay unseen.

    Args:
        model: To be tuned.
        images: Only the training part is looked at.
        judge: Gives features and classes.
        guidance: Weights to try.
        temperature: Temperatures to try.
        samples: Drawn for each pair, and compared with as many training images, drawn by `seed`.
        seed: Of the samples and of the training images.
        accuracy: Least share of samples recognised as their class.
        say: Receives a line about each pair.

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
    for weight, heat in product(guidance, temperature):
        trial = model.with_sampling(guidance=(weight,), temperature=(heat,))
        made = judge.evaluate(trial.sample(count, seed=seed, labels=labels))
        row = {
            "guidance": weight,
            "temperature": heat,
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
    pair = {name: (best[name],) for name in ("guidance", "temperature")}
    return model.with_sampling(**pair), rows


def save_rows(rows: list[Row], path: Path) -> None:
    """Write what `tune` measured as JSON."""
    write_json(path, [{name: round(value, 5) for name, value in row.items()} for row in rows])
