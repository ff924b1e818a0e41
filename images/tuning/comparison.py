"""Methods compared, off and on: trained over one tokeniser, tuned alike, measured on test images.

For each seed one tokeniser is trained, and another where an arm changes it, and over it one
generator for each distinct training. An arm takes the generator of its training, or a student of
it, its own settings of sampling, and is calibrated or tuned on held-out images if it says so.
Every result is a JSON file under `runs/`, so a comparison goes on where it was stopped.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from images.code_metrics import code_bits, tokenizer_metrics
from images.config import ImagesConfig, SamplingConfig
from images.data.load import Images, LabelledImages
from images.distillation import distil
from images.evaluation.classifier import Evaluator
from images.evaluation.metrics import class_accuracy, frechet
from images.evaluation.neighbours import neighbourhoods
from images.model import ImageModel, load
from images.training import train_generator, train_tokenizer, training_data
from images.tuning.calibration import calibrate
from images.tuning.config import MethodArm, MethodsConfig, check_space, resolved, with_settings
from images.tuning.search import Scorer, sampling_measure
from refine_core.app.parallel import Job, Tick, run_jobs
from refine_core.config.schema import dump, to_dict
from refine_core.storage.files import digest, read_json
from refine_core.tokens import Tokens
from refine_core.training.stages import Stages
from refine_core.training.step import trained_parameters
from refine_core.transformer import Transformer
from refine_core.tuning.search import Trials, coordinate_search, random_points

Row = Mapping[str, float]
"""Scores by name."""


@dataclass(frozen=True)
class Shared:
    """What all jobs of a comparison share.

    Args:
        plan: What is compared, and where its parts are.
        images: The data.
        judge: Gives features and classes.
    """

    plan: "ComparisonPlan"
    images: Images
    judge: Evaluator


@dataclass(frozen=True)
class ComparisonPlan:
    """Where the parts of a comparison are.

    Args:
        config: What is compared.
        folder: Folder of results and runs.
        data: Digest of the images and of what judges samples.
    """

    config: MethodsConfig
    folder: Path
    data: str

    @classmethod
    def of(
        cls, config: MethodsConfig, images: Images, judge: Evaluator, folder: Path
    ) -> "ComparisonPlan":
        """The plan of a comparison on images."""
        arrays = (*images.train.arrays, *images.test.arrays)
        return cls(config, folder, digest(judge.digest, *arrays))

    def base(self, seed: int) -> ImagesConfig:
        """The base with a seed; how it is sampled does not matter to what is trained."""
        return replace(self.config.base, seed=seed, sampling=SamplingConfig())

    def tokenizer(self, arm: MethodArm, seed: int) -> Path:
        """Folder of the tokeniser of an arm, which arms share that do not change it."""
        config = with_settings(self.base(seed), arm.tokenizer)
        used = str((self.config.base.holdout, self.data))
        key = digest(dump(config.tokenizer), used)
        return self.folder / "runs" / "tokenizers" / f"{key}-{seed}"

    def model(self, arm: MethodArm, seed: int) -> Path:
        """Folder of the generator of an arm, which arms with the same training share."""
        settings = json.dumps(self.training(arm, seed), sort_keys=True)
        key = digest(self.tokenizer(arm, seed).name, dump(self.base(seed).generator), settings)
        return self.folder / "runs" / "generators" / key

    def student(self, arm: MethodArm, seed: int) -> Path:
        """Folder of the student of an arm that has one."""
        assert arm.student is not None
        sampling = resolved(arm.sampling, self.models(arm.sampling, seed))
        about = json.dumps([to_dict(arm.student), sampling], sort_keys=True)
        return self.folder / "runs" / "students" / digest(self.model(arm, seed).name, about)

    def result(self, arm: MethodArm, seed: int) -> Path:
        """File of the scores of an arm."""
        config = self.config
        settings = resolved([arm.settings, arm.tune], self.models([arm.settings, arm.tune], seed))
        counts = [config.samples, config.tuning_samples, config.trials]
        about = json.dumps([to_dict(arm), settings, counts], sort_keys=True)
        key = digest(self.model(arm, seed).name, dump(config.base.sampling), about)
        return self.folder / "runs" / "results" / f"{key}.json"

    def training(self, arm: MethodArm, seed: int) -> dict[str, object]:
        """The settings of an arm's training, with the paths of the models that it uses."""
        found = resolved(arm.training, self.models(arm.training, seed))
        assert isinstance(found, dict)
        return found

    def models(self, of: object, seed: int) -> dict[str, str]:
        """Paths of the models that a value refers to, by the arm's name."""
        named = {arm.name: arm for arm in self.config.arms}
        needs = MethodArm("", {"": of}).needs
        return {name: str(self.model(named[name], seed)) for name in needs}

    def jobs(self) -> list[Job[Shared]]:
        """All that has to be done."""
        jobs = []
        for seed in self.config.seeds:
            for arm in self.config.arms:
                tokens = self.tokenizer(arm, seed) / "result.json"
                jobs.append(Job(tokens, 300.0, partial(_train_tokenizer, arm, seed)))
                model = self.model(arm, seed) / "result.json"
                used = (self.model(a, seed) for a in self.config.arms if a.name in arm.needs)
                others = [path / "result.json" for path in used]
                train = partial(_train_generator, arm, seed)
                jobs.append(Job(model, 1000.0, train, (tokens, *others)))
                if arm.student is not None:
                    teacher, model = model, self.student(arm, seed) / "result.json"
                    jobs.append(
                        Job(model, 1000.0, partial(_distil, arm, seed), (teacher, *others))
                    )
                if arm.shown:
                    measure = partial(_measure_arm, arm, seed)
                    jobs.append(Job(self.result(arm, seed), 200.0, measure, (model, *others)))
        return jobs


def compare(
    config: MethodsConfig, images: Images, judge: Evaluator, folder: Path, *, quiet: bool = False
) -> dict[str, list[Row]]:
    """Train, tune and measure all arms; return the scores of each, one row a seed.

    Args:
        config: What is compared.
        images: Labelled images.
        judge: Gives features and classes.
        folder: Folder of results and runs; what is there is not made again.
        quiet: Whether to show no progress.

    Raises:
        InputError: Images, classifier and config do not fit together, or a worker was killed.
    """
    judge.checked_labels(images.test)
    images = replace(
        images, train=images.train[: config.images], test=images.test[: config.images]
    )
    plan = ComparisonPlan.of(config, images, judge, folder)
    share = partial(Shared, plan, images, judge)
    run_jobs(plan.jobs(), share, config.workers, title="methods", quiet=quiet)
    return {
        arm.name: [_read(plan.result(arm, seed)) for seed in config.seeds]
        for arm in config.arms
        if arm.shown
    }


def measure(
    model: ImageModel, images: LabelledImages, judge: Evaluator, samples: int, seed: int = 0
) -> dict[str, float]:
    """Scores of as many samples as there are images to compare with, at most `samples`.

    These are spread evenly: the first half of MNIST's test images is cleaner than the second.
    """
    count = min(samples, len(images))
    every = judge.checked_labels(images)
    chosen = torch.arange(count) * len(images) // count
    compared, labels = images.images[chosen], every[chosen]
    real = judge.evaluate(compared)
    model.sample(10, seed=seed)  # what is made once, such as caches of kernels, is not timed
    started = time.perf_counter()
    with _counted() as passes:
        sampled = model.sample(count, seed=seed, labels=labels, workers=1)
    seconds = time.perf_counter() - started
    made = judge.evaluate(sampled)
    copy = judge.evaluate(model.reconstruct(compared))
    near = neighbourhoods(real.features, made.features)
    return {
        "frechet": frechet(real.features, made.features),
        "tokenizer_frechet": frechet(real.features, copy.features),
        "precision": near.precision,
        "recall": near.recall,
        "accuracy": class_accuracy(made.logits, labels),
        "bits": code_bits(model.refiner, images.images, every),
        "calls": sum(passes) / count,
        "ms": 1000 * seconds / count,
    }


@contextmanager
def _counted() -> Iterator[list[int]]:
    """How many samples went through a transformer, of any network, in each call of one."""
    passes: list[int] = []

    def count(module: nn.Module, given: tuple[Tokens, ...]) -> None:
        if isinstance(module, Transformer):
            passes.append(len(given[0].value))

    hook = register_module_forward_pre_hook(count)
    try:
        yield passes
    finally:
        hook.remove()


def _train_tokenizer(arm: MethodArm, seed: int, shared: Shared, tick: Tick) -> object:
    plan = shared.plan
    config = with_settings(plan.base(seed), arm.tokenizer)
    images = shared.images.split(plan.config.base.holdout)[0]
    stages = _stages(plan.tokenizer(arm, seed), seed, images)
    tokens = train_tokenizer(config, images, stages, "training")
    tick(1.0)
    return tokenizer_metrics(tokens, images.test.images)


def _train_generator(arm: MethodArm, seed: int, shared: Shared, tick: Tick) -> object:
    plan = shared.plan
    images = shared.images.split(plan.config.base.holdout)[0]
    config = with_settings(plan.base(seed), plan.training(arm, seed))
    # A finished training is not repeated: this loads the tokeniser.
    tokens = train_tokenizer(
        config, images, _stages(plan.tokenizer(arm, seed), seed, images), "training"
    )
    folder = plan.model(arm, seed)
    refiner = train_generator(config, tokens, images, _stages(folder, seed, images)).refiner
    rows = _read(folder / "generator" / "metrics.json", list)
    tick(1.0)
    return {
        "seconds": sum(row["seconds"] for row in rows),
        "parameters": trained_parameters(refiner),
    }


def _distil(arm: MethodArm, seed: int, shared: Shared, tick: Tick) -> object:
    """Train the student of an arm's model, which samples as the arm says."""
    plan = shared.plan
    folder = plan.student(arm, seed)
    images = shared.images.split(plan.config.base.holdout)[0]
    assert arm.student is not None
    config = replace(arm.student, name=folder.name, seed=seed)
    student = distil(_sampled(arm, plan, seed), config, images, folder.parent, quiet=True)
    rounds = [_read(path, list) for path in folder.glob("*/metrics.json")]
    before = _read(plan.model(arm, seed) / "result.json")
    tick(1.0)
    return {
        "seconds": before["seconds"] + sum(row["seconds"] for rows in rounds for row in rows),
        "parameters": trained_parameters(student.refiner),
    }


def _sampled(arm: MethodArm, plan: ComparisonPlan, seed: int) -> ImageModel:
    """The model of an arm's training, which samples by its settings."""
    model = load(plan.model(arm, seed))
    settings = resolved(arm.settings, plan.models(arm.settings, seed))
    assert isinstance(settings, dict)
    config = replace(model.config, sampling=plan.config.base.sampling)
    return replace(model, config=with_settings(config, settings))


def _measure_arm(arm: MethodArm, seed: int, shared: Shared, tick: Tick) -> object:
    plan = shared.plan
    held_out = shared.images.split(plan.config.base.holdout)[1]
    folder = plan.model(arm, seed) if arm.student is None else plan.student(arm, seed)
    model = _sampled(arm, plan, seed) if arm.student is None else load(folder)
    if arm.calibrate != "no":
        model = calibrate(model, held_out, by=arm.calibrate)
    tick(0.2)
    model, tuned = _tuned(model, arm, plan, seed, Scorer(shared.judge, held_out))
    tick(0.5)
    scores = measure(model, shared.images.test, shared.judge, plan.config.samples)
    training = _read(folder / "result.json")
    tick(0.3)
    return {
        **scores,
        "training_seconds": training["seconds"],
        "parameters": training["parameters"],
        "trials": tuned,
    }


def _tuned(
    model: ImageModel,
    arm: MethodArm,
    plan: ComparisonPlan,
    seed: int,
    scorer: Scorer,
) -> tuple[ImageModel, list[object]]:
    """The model at the best point that was tried, and all trials: the same number for each arm."""
    config = plan.config
    if not arm.tune:
        return model, []
    space = resolved(arm.tune, plan.models(arm.tune, seed))
    assert isinstance(space, dict)
    space = check_space(model.config, space)
    score = sampling_measure(model, scorer)
    trials = Trials(lambda settings, n: replace(score(settings, n), cost=1.0), config.trials)
    points = random_points(space, config.trials // 2, seed)
    for point in points:
        trials(point, config.tuning_samples)
    best = trials.best().settings
    coordinate_search(space, trials, config.tuning_samples, best)
    best = trials.best().settings
    return replace(model, config=with_settings(model.config, best)), [
        vars(trial) for trial in trials.made
    ]


def _stages(folder: Path, seed: int, images: Images) -> Stages:
    return Stages(folder, seed, training_data(images).digest(), quiet=True)


def _read(path: Path, kind: type = dict) -> Any:
    return read_json(path, kind, "delete it, to have it made again")
