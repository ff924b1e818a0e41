"""Experiments over several processes; each result is written as soon as it is there."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from images.experiments.denoisers import FlatImages, Shape
from images.experiments.experiment import Experiment, Result, run_experiment
from refine_core.app.parallel import Job, Tick, run_jobs
from refine_core.storage.files import read_json

Pixels = NDArray[np.float32]


def run_all(
    experiments: Iterable[Experiment],
    images: FlatImages,
    folder: Path,
    workers: int,
    *,
    quiet: bool = False,
) -> dict[Experiment, Result]:
    """Run every experiment, longest first, on one thread: results do not depend on `workers`.

    Args:
        experiments: What to run; repeated ones run once.
        images: The data.
        folder: Holds one JSON file per result; experiments found there are not run again.
        workers: Count of processes; one runs everything in this process.
        quiet: Whether to show no progress.

    Raises:
        InputError: A worker process was killed.
    """
    fingerprint = images.fingerprint()
    paths = {each: folder / f"{each.key(fingerprint)}.json" for each in experiments}
    jobs = [Job(path, each.cost(images), partial(_measure, each)) for each, path in paths.items()]
    share = partial(_images, images.train.numpy(), images.test.numpy(), images.shape)
    run_jobs(jobs, share, workers, title="ablation", quiet=quiet)
    return {
        each: Result.from_json(read_json(path, dict, "delete it, to have it made again"))
        for each, path in paths.items()
    }


def _measure(experiment: Experiment, images: FlatImages, tick: Tick) -> dict[str, object]:
    return run_experiment(experiment, images, tick).to_json()


def _images(train: Pixels, test: Pixels, shape: Shape) -> FlatImages:
    return FlatImages(torch.from_numpy(train), torch.from_numpy(test), shape)
