"""Experiments over several processes; each result is written as soon as it is there."""

import json
import multiprocessing as mp
import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from images.experiments.denoisers import FlatImages, Shape
from images.experiments.experiment import Experiment, Result, run_experiment
from refine_core.app.progress import Progress
from refine_core.errors import InputError
from refine_core.storage.files import write_json

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

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
    todo = [each for each, path in paths.items() if not path.exists()]
    todo.sort(key=lambda each: -each.cost(images))
    total = sum(each.cost(images) for each in todo)
    with Progress("ablation (CPU-seconds)", round(total), quiet=quiet) as progress:
        jobs = [(each, paths[each]) for each in todo]
        if workers == 1:
            _run_here(jobs, images, progress)
        elif jobs:
            _run_in_workers(jobs, images, progress, workers)
    return {
        each: Result.from_json(json.loads(path.read_text("utf-8"))) for each, path in paths.items()
    }


def _run_here(jobs: list[tuple[Experiment, Path]], images: FlatImages, progress: Progress) -> None:
    done, threads = 0.0, torch.get_num_threads()
    torch.set_num_threads(1)

    def tick(seconds: float) -> None:
        nonlocal done
        done += seconds
        progress.update(round(done))

    try:
        for number, (experiment, path) in enumerate(jobs, 1):
            _run_and_write(experiment, path, images, tick)
            progress.row({"finished": number, "of": len(jobs)})
    finally:
        torch.set_num_threads(threads)


def _run_in_workers(
    jobs: list[tuple[Experiment, Path]], images: FlatImages, progress: Progress, workers: int
) -> None:
    context = mp.get_context("spawn")
    clock, stop = context.Value("d", 0.0), context.Event()
    # Arrays travel by pickle: shared memory is often too small in a container.
    data = images.train.numpy(), images.test.numpy(), images.shape
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(*data, clock, stop)
    )
    try:
        running: set[Future[None]] = {pool.submit(_run_job, *job) for job in jobs}
        while running:
            ended, running = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()
            if ended:
                progress.row({"finished": len(jobs) - len(running), "of": len(jobs)})
            progress.update(round(clock.value))
    except BrokenProcessPool:
        raise InputError(
            "A worker process was killed, most likely for want of memory; finished runs are kept: "
            "start again with --workers 1."
        ) from None
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _run_and_write(
    experiment: Experiment, path: Path, images: FlatImages, tick: Callable[[float], None]
) -> None:
    cost = experiment.cost(images)
    result = run_experiment(experiment, images, lambda share: tick(share * cost))
    write_json(path, result.to_json())


@dataclass(frozen=True)
class _Worker:
    """State of a worker process, set once at its start."""

    images: FlatImages
    clock: "Synchronized[float]"
    stop: Event

    def tick(self, seconds: float) -> None:
        if self.stop.is_set():
            raise KeyboardInterrupt
        with self.clock.get_lock():
            self.clock.value += seconds


_worker: _Worker


def _start_worker(
    train: Pixels, test: Pixels, shape: Shape, clock: "Synchronized[float]", stop: Event
) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    images = FlatImages(torch.from_numpy(train), torch.from_numpy(test), shape)
    _worker = _Worker(images, clock, stop)


def _end_with_parent() -> None:
    """End this process when its parent is killed."""
    parent = mp.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run_job(experiment: Experiment, path: Path) -> None:
    _run_and_write(experiment, path, _worker.images, _worker.tick)
