"""Search over a config's settings: what is sampled best, on images that are not the test set.

Where all settings are of sampling, one model is searched over, and the fidelity of a trial is the
number of images that are sampled. Else each point is trained, and the fidelity is the number of
epochs of its generator; a point that is trained on goes on where it was. Successive halving comes
first, then one setting after the other takes each of its values.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch

from images.config import ImagesConfig
from images.data.load import Images, LabelledImages
from images.evaluation.classifier import Evaluator
from images.evaluation.metrics import class_accuracy, frechet
from images.evaluation.neighbours import neighbourhoods
from images.model import MODELS, ImageModel, load
from images.training import train, training_data
from images.tuning.config import SearchConfig, check_space, sampling_only, with_settings
from refine_core.app.progress import Say, silent
from refine_core.config.schema import dump
from refine_core.storage.files import digest, write_text
from refine_core.tuning.search import (
    Measured,
    Settings,
    Trial,
    TrialRecord,
    Trials,
    coordinate_search,
    successive_halving,
)


class Scorer:
    """Scores samples by their Frechet distance to training images.

    Args:
        judge: Gives features and classes.
        images: Labelled images to compare with, none of the test set.
        accuracy: Least share of samples recognised as their class; each percent below it counts
            as much as the whole distance.
        seed: Seed of the samples, and of the choice of images.
    """

    def __init__(
        self, judge: Evaluator, images: LabelledImages, *, accuracy: float = 0.98, seed: int = 1
    ) -> None:
        self.judge, self.images, self.accuracy, self.seed = judge, images, accuracy, seed
        self.labels = judge.checked_labels(images)

    def __call__(self, model: ImageModel, samples: int) -> Measured:
        """The score of a model; the cost is the number of network calls."""
        count = min(samples, len(self.images))
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(len(self.images), generator=generator)[:count]
        labels = self.labels[chosen]
        real = self.judge.evaluate(self.images.images[chosen])
        made = model.sample(count, seed=self.seed, labels=labels if model.classes else None)
        found = self.judge.evaluate(made)
        near = neighbourhoods(real.features, found.features)
        details = {
            "frechet": frechet(real.features, found.features),
            "accuracy": class_accuracy(found.logits, labels) if model.classes else 1.0,
            "recall": near.recall,
            "precision": near.precision,
        }
        lacking = max(0.0, self.accuracy - details["accuracy"])
        score = details["frechet"] * (1 + 100 * lacking)
        return Measured(score, float(count * len(model.schedule)), details)


def sampling_measure(model: ImageModel, score: Scorer) -> Callable[[Settings, int], Measured]:
    """Measures settings of sampling; the fidelity is a number of images."""

    def measure(settings: Settings, samples: int) -> Measured:
        config = with_settings(model.config, settings)
        return score(replace(model, config=config), samples)

    return measure


def training_measure(
    config: ImagesConfig, images: Images, score: Scorer, runs: Path, samples: int
) -> Callable[[Settings, int], Measured]:
    """Trains and measures settings; the fidelity, and the cost, is a number of epochs.

    Args:
        config: What the settings are changed in.
        images: Training images.
        score: Scores each model.
        runs: Folder of the runs, each named by its settings.
        samples: Images sampled for each score.
    """

    def measure(settings: Settings, epochs: int) -> Measured:
        name = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode()).hexdigest()[:12]
        chosen = with_settings(config, {**settings, "name": name})
        training = replace(chosen.generator.training, epochs=epochs)
        chosen = replace(chosen, generator=replace(chosen.generator, training=training))
        model = train(chosen, images, runs, quiet=True)
        return replace(score(model, samples), cost=float(epochs))

    return measure


def search(
    config: SearchConfig,
    images: Images,
    judge: Evaluator,
    out: Path,
    *,
    say: Say = silent,
) -> Trial:
    """Find the best settings within the budget; write the config, and the model if there is one.

    Args:
        config: What is searched over.
        images: Labelled images. Samples are compared with held-out training images if the base
            keeps any, else with training images; the test set is not used.
        judge: Gives features and classes.
        out: Folder for `trials.json`, `best.yaml`, `model.safetensors` and runs.
        say: Receives a line about each trial.

    Raises:
        InputError: Images, classifier and config do not fit together, or the folder holds trials
            of other ones.
    """
    model = load(config.model) if config.model else None
    base = model.config if model else config.base
    kept, held_out = images.split(base.holdout)
    score = Scorer(judge, held_out if len(held_out) else kept.train, accuracy=config.accuracy)
    of = digest(
        MODELS.load(config.model).digest if config.model else dump(base),
        training_data(images).digest(),
        str((judge.digest, config.accuracy, config.samples, version("torch"))),
    )
    record = TrialRecord(out / "trials.json", of)
    if sampling_only(config.space):
        model = model or train(base, images, out / "runs")
        measure = sampling_measure(model, score)
    else:
        measure = training_measure(base, images, score, out / "runs", config.samples)
    trials = Trials(measure, config.budget, record, say)
    space = check_space(base, {name: list(values) for name, values in config.space.items()})
    best, *_ = successive_halving(
        space, trials, config.fidelities, count=config.trials, seed=config.seed
    )
    coordinate_search(space, trials, best.fidelity, best.settings)
    best = trials.best()
    chosen = with_settings(base, best.settings)
    write_text(out / "best.yaml", dump(chosen))
    if model is not None:
        replace(model, config=chosen).save(out / "model.safetensors")
    return best
