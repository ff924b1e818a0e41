"""Jobs over several processes of one thread each; a result is written as soon as it is there.

A job whose result is there is not run again, so work that was stopped goes on where it was. Jobs
may need results of others. What a job returns must not depend on the process it runs in.
"""

import multiprocessing as mp
import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from refine_core.app.processes.workers import VARIABLE
from refine_core.app.progress import Progress
from refine_core.errors import InputError
from refine_core.storage.files import write_json

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

C = TypeVar("C")
Tick = Callable[[float], None]
"""Is called with the share of a job that was done since the last call."""


@dataclass(frozen=True)
class Job(Generic[C]):
    """One piece of work with one result.

    Args:
        path: The JSON file of its result.
        cost: Rough CPU-seconds.
        run: Makes the result, a JSON value, of what all jobs share; it travels by pickle.
        needs: Results of other jobs that have to be there before.
        rank: Jobs of a smaller rank are started before, if they can be.
    """

    path: Path
    cost: float
    run: Callable[[C, Tick], object]
    needs: tuple[Path, ...] = ()
    rank: int = 0

    def finish(self, shared: C, tick: Tick) -> None:
        """Run the job and write its result."""
        write_json(self.path, self.run(shared, lambda share: tick(share * self.cost)))


def run_jobs(
    jobs: Iterable[Job[C]],
    share: Callable[[], C],
    workers: int,
    *,
    title: str,
    quiet: bool = False,
) -> None:
    """Run every job that has no result yet, by rank, those first that most work waits for.

    Args:
        jobs: What to run; of those with the same path the first is run.
        share: Makes what all jobs share, once in each process; it travels by pickle. Tensors
            travel as numpy arrays, for shared memory is often too small in a container.
        workers: Count of processes; one runs everything in this process.
        title: Shown beside the progress bar, which counts CPU-seconds.
        quiet: Whether to show no progress.

    Raises:
        InputError: A worker process was killed; or a job raised it.
    """
    unique: dict[Path, Job[C]] = {}
    for job in jobs:
        unique.setdefault(job.path, job)
    todo = [job for job in unique.values() if not job.path.exists()]
    if not todo:
        return
    queue = _Queue(_by_urgency(todo))
    total = sum(job.cost for job in todo)
    with Progress(f"{title} (CPU-seconds)", round(total), quiet=quiet) as progress:
        if workers == 1:
            _run_here(queue, share(), progress)
        else:
            _run_in_workers(queue, share, progress, min(workers, len(todo)))


class _Queue(Generic[C]):
    """Jobs that wait, in the order in which they should start."""

    def __init__(self, jobs: Sequence[Job[C]]) -> None:
        self.waiting = list(jobs)
        self.count = len(jobs)

    def next(self) -> Job[C] | None:
        """Take out the first job whose needs are there; None if there is no such job."""
        missing = {job.path for job in self.waiting}
        for place, job in enumerate(self.waiting):
            if not missing.intersection(job.needs) and all(path.exists() for path in job.needs):
                return self.waiting.pop(place)
        return None


def _by_urgency(jobs: Sequence[Job[C]]) -> list[Job[C]]:
    """Sort jobs by rank, then by their cost and that of the longest chain of jobs that waits."""
    after: dict[Path, list[Job[C]]] = {job.path: [] for job in jobs}
    for job in jobs:
        for path in job.needs:
            assert path in after or path.exists(), f"nothing makes {path}"
            after.setdefault(path, []).append(job)
    urgency: dict[Path, float] = {}

    def measure(job: Job[C]) -> float:
        if job.path not in urgency:
            urgency[job.path] = job.cost + max(map(measure, after[job.path]), default=0.0)
        return urgency[job.path]

    return sorted(jobs, key=lambda job: (job.rank, -measure(job)))


def _run_here(queue: _Queue[C], shared: C, progress: Progress) -> None:
    import torch

    done, threads = 0.0, torch.get_num_threads()
    torch.set_num_threads(1)

    def tick(seconds: float) -> None:
        nonlocal done
        done += seconds
        progress.update(round(done))

    try:
        while (job := queue.next()) is not None:
            job.finish(shared, tick)
            progress.row({"finished": queue.count - len(queue.waiting), "of": queue.count})
    finally:
        torch.set_num_threads(threads)


def _run_in_workers(
    queue: _Queue[C], share: Callable[[], C], progress: Progress, workers: int
) -> None:
    context = mp.get_context("spawn")
    clock, stop = context.Value("d", 0.0), context.Event()
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(share, clock, stop)
    )
    finished = 0
    running: set[Future[None]] = set()
    try:
        while True:
            while len(running) < workers and (job := queue.next()) is not None:
                running.add(pool.submit(_run_in_worker, job))
            if not running:
                break
            ended, running = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()
            finished += len(ended)
            if ended:
                progress.row({"finished": finished, "of": queue.count})
            progress.update(round(clock.value))
    except BrokenProcessPool:
        raise InputError(
            "A worker process was killed, most likely for want of memory; finished runs are kept: "
            "start again with --workers 1."
        ) from None
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Worker:
    """State of a worker process, set once at its start."""

    shared: object
    clock: "Synchronized[float]"
    stop: Event

    def tick(self, seconds: float) -> None:
        if self.stop.is_set():
            raise KeyboardInterrupt
        with self.clock.get_lock():
            self.clock.value += seconds


_worker: _Worker | InputError


def _start_worker(share: Callable[[], object], clock: "Synchronized[float]", stop: Event) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    os.environ[VARIABLE] = "1"  # no worker starts others
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    try:
        _worker = _Worker(share(), clock, stop)
    except InputError as error:  # raised by the first job: here it would break the pool
        _worker = error


def _end_with_parent() -> None:
    """End this process when its parent is killed."""
    parent = mp.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run_in_worker(job: Job[C]) -> None:
    if isinstance(_worker, InputError):
        raise _worker
    job.finish(cast(C, _worker.shared), _worker.tick)
