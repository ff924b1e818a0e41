"""Many runs over a few processes, each kept as soon as it is done."""

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

from images.experiments.denoisers import Shape
from images.experiments.spec import Arrays, Spec, cost
from images.experiments.trial import Result, run
from refine_core.app.progress import Progress
from refine_core.errors import InputError
from refine_core.storage.files import write_json

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized


Pixels = NDArray[np.float32]


def run_all(
    specs: Iterable[Spec], arrays: Arrays, folder: Path, workers: int, *, quiet: bool = False
) -> dict[Spec, Result]:
    """Run every spec, longest first, on one thread, so that results do not depend on `workers`.

    Args:
        specs: What to run; repeated ones run once.
        arrays: The data.
        folder: Holds one JSON file per finished run; those found there are not run again.
        workers: Processes; one runs everything here.
        quiet: Whether to show no progress.

    Raises:
        InputError: A worker process was killed.
    """
    fingerprint = arrays.fingerprint()
    paths = {spec: folder / f"{spec.key(fingerprint)}.json" for spec in specs}
    todo = [spec for spec, path in paths.items() if not path.exists()]
    todo.sort(key=lambda spec: -cost(spec, arrays))
    total = sum(cost(spec, arrays) for spec in todo)
    with Progress("ablation (CPU-seconds)", round(total), quiet=quiet) as progress:
        jobs = [(spec, paths[spec]) for spec in todo]
        if workers == 1:
            _run_here(jobs, arrays, progress)
        elif jobs:
            _run_there(jobs, arrays, progress, workers)
    return {spec: json.loads(path.read_text("utf-8")) for spec, path in paths.items()}


def _run_here(jobs: list[tuple[Spec, Path]], arrays: Arrays, progress: Progress) -> None:
    done, threads = 0.0, torch.get_num_threads()
    torch.set_num_threads(1)

    def tick(seconds: float) -> None:
        nonlocal done
        done += seconds
        progress.update(round(done))

    try:
        for number, (spec, path) in enumerate(jobs, 1):
            _run_and_keep(spec, path, arrays, tick)
            progress.row({"finished": number, "of": len(jobs)})
    finally:
        torch.set_num_threads(threads)


def _run_there(
    jobs: list[tuple[Spec, Path]], arrays: Arrays, progress: Progress, workers: int
) -> None:
    context = mp.get_context("spawn")
    clock, stop = context.Value("d", 0.0), context.Event()
    # Arrays travel by pickle: shared memory is often too small in a container.
    data = arrays.train.numpy(), arrays.test.numpy(), arrays.shape
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start, initargs=(*data, clock, stop)
    )
    try:
        running: set[Future[None]] = {pool.submit(_work, *job) for job in jobs}
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


def _run_and_keep(spec: Spec, path: Path, arrays: Arrays, tick: Callable[[float], None]) -> None:
    share = cost(spec, arrays)
    write_json(path, run(spec, arrays, lambda part: tick(part * share)))


@dataclass(frozen=True)
class _Worker:
    """What a worker process holds: it is started once, and given specs only."""

    arrays: Arrays
    clock: "Synchronized[float]"
    stop: Event

    def tick(self, seconds: float) -> None:
        if self.stop.is_set():
            raise KeyboardInterrupt
        with self.clock.get_lock():
            self.clock.value += seconds


_worker: _Worker


def _start(
    train: Pixels, test: Pixels, shape: Shape, clock: "Synchronized[float]", stop: Event
) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    arrays = Arrays(torch.from_numpy(train), torch.from_numpy(test), shape)
    _worker = _Worker(arrays, clock, stop)


def _end_with_parent() -> None:
    """Leave no process behind when the parent is killed."""
    parent = mp.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(spec: Spec, path: Path) -> None:
    _run_and_keep(spec, path, _worker.arrays, _worker.tick)
