"""A function applied to many inputs by processes of one thread each, in the order of the inputs.

One of them is this process. The others are fresh interpreters that are sent the function, then
inputs, and send back results, so a script that uses them needs no guard against being run again by
its own workers. They end when the process that started them does, however it ends.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any, Literal, TypeVar

from refine_core.app.memory import keep_freed
from refine_core.config.ranges import PositiveInt
from refine_core.errors import InputError

A = TypeVar("A")
R = TypeVar("R")
Worker = subprocess.Popen[bytes]
Workers = PositiveInt | Literal["auto"]
"""Count of processes; "auto" is one for each core where that pays, else this process alone."""
VARIABLE = "REFINE_WORKERS"
"""Environment variable with the most processes that "auto" stands for."""
WORTHWHILE = 6.0
"""Seconds of work left from which on "auto" starts processes, each of which takes 2 to 4."""

MOST_KEPT = 4
"""Results of each process that wait, at most, for one before them."""


def map_in_workers(
    work: Callable[[A], R],
    inputs: Iterable[A],
    count: int,
    workers: Workers = "auto",
    *,
    device: str = "cpu",
) -> Iterator[R]:
    """Apply a function to inputs; results do not depend on the number of processes.

    Args:
        work: The function, which computes on one thread; with inputs and results it is pickled.
        inputs: Its inputs, taken as they are needed.
        count: Their number.
        workers: Count of processes, this one included. For "auto" the first input is computed
            here, which tells how long the rest takes.
        device: Kind of device that the function computes on; an accelerator takes one process.

    Yields:
        The result of each input.

    Raises:
        InputError: The function raised it, a worker was killed, or there is more than one worker
            for an accelerator.
    """
    if workers != "auto" and workers < 1:
        raise InputError(f"Found {workers} workers, expected a whole number above 0, or auto.")
    if device != "cpu" and workers not in (1, "auto"):
        raise InputError(
            f"Found {workers} workers for a model on {device}, expected 1: leave it out, or "
            "choose the device cpu."
        )
    rest = iter(inputs)
    most = (1 if device != "cpu" else _cores()) if workers == "auto" else workers
    if workers == "auto" and most > 1 and count > 2:
        started = time.process_time()
        yield _on_one_thread(work, next(rest))
        count -= 1
        most = most if (time.process_time() - started) * count > WORTHWHILE else 1
    if min(most, count) < 2:
        yield from (_on_one_thread(work, each) for each in rest)
    else:
        yield from _in_processes(work, rest, min(most, count))


def _cores() -> int:
    """The processes that "auto" stands for; those of `torchrun` share the cores."""
    there = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return int(os.environ.get(VARIABLE, there // int(os.environ.get("WORLD_SIZE", 1))))


def _on_one_thread(work: Callable[[A], R], given: A) -> R:
    """Compute here as a worker does, for rounding depends on the number of threads."""
    if "torch" not in sys.modules:
        return work(given)
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return work(given)
    finally:
        torch.set_num_threads(threads)


def _in_processes(work: Callable[[A], R], inputs: Iterator[A], count: int) -> Iterator[R]:
    """Compute here, too, and at once: other processes take seconds to start."""
    others = count - 1
    # They are stopped first, so that no thread is left waiting for one.
    with ThreadPoolExecutor(others) as threads, _started(work, others) as free:
        results: deque[Future[R]] = deque()
        for each in inputs:
            if sum(not result.done() for result in results) < 2 * others:
                results.append(threads.submit(_ask, free, each))
            else:
                results.append(Future())
                results[-1].set_result(_on_one_thread(work, each))
            while results and (results[0].done() or len(results) > MOST_KEPT * count):
                yield results.popleft().result()
        while results:
            yield results.popleft().result()


@contextmanager
def _started(work: object, count: int) -> Iterator[SimpleQueue[Worker]]:
    """Start workers and put them into a queue of free ones; stop them at the end."""
    command = [sys.executable, "-P", "-c", "from refine_core.app.workers import serve; serve()"]
    alone = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", VARIABLE), "1")
    path = os.pathsep.join(each or os.getcwd() for each in sys.path)
    environment = {**os.environ, **alone, "PYTHONPATH": path}
    pipe, parcel = subprocess.PIPE, pickle.dumps(work)
    free: SimpleQueue[Worker] = SimpleQueue()
    started: list[Worker] = []
    try:
        for _ in range(count):
            started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment))
        for worker in started:
            with suppress(BrokenPipeError):  # whoever asks the worker finds out
                _send(worker, parcel)
            free.put(worker)
        yield free
    finally:
        for worker in started:
            worker.kill()
        for worker in started:
            worker.communicate()


def _ask(free: SimpleQueue[Worker], given: object) -> Any:
    """Send an input to a free worker and wait for its result."""
    worker = free.get()
    try:
        _send(worker, pickle.dumps(given))
        assert worker.stdout is not None
        done, result = pickle.load(worker.stdout)
    except (EOFError, BrokenPipeError, pickle.UnpicklingError):
        raise InputError(
            "A worker process was killed, most likely for want of memory: give --workers 1, or a "
            "smaller --batch."
        ) from None
    finally:
        free.put(worker)
    if not done:
        raise result
    return result


def _send(worker: Worker, parcel: bytes) -> None:
    assert worker.stdin is not None
    pickle.dump(parcel, worker.stdin)
    worker.stdin.flush()


def serve() -> None:
    """Take a function, then inputs, from standard input; write results to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    keep_freed()
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the function prints is no result
    parcels: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(parcels,), daemon=True).start()
    first, work = parcels.get(), None
    while True:
        parcel = parcels.get()
        try:
            work = work or pickle.loads(first)
            answer = pickle.dumps((True, work(pickle.loads(parcel))))
        except InputError as error:
            answer = pickle.dumps((False, error))
        except BaseException:
            answer = pickle.dumps((False, RuntimeError(traceback.format_exc())))
        with suppress(BrokenPipeError):  # the parent is gone, and this process soon is
            results.write(answer)
            results.flush()


def _receive(parcels: SimpleQueue[bytes]) -> None:
    """Read what the parent sends, and end this process when the parent is gone."""
    try:
        while True:
            parcels.put(pickle.load(sys.stdin.buffer))
    finally:
        os._exit(0)
