"""A function applied to many inputs by processes of one thread each, in the order of the inputs.

One of them is this process. The others are fresh interpreters that are sent the function, then
inputs, and send back results, so a script that uses them needs no guard against being run again by
its own workers. They end when the process that started them does, however it ends. Processes that
`torchrun` started compute, too: see `refine_core.app.processes.ranks`; and the workers of a dask
cluster in place of all: see `refine_core.app.processes.cluster`.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any, Literal, Protocol, TypeVar

from refine_core.app.processes import ranks
from refine_core.app.processes.answers import Server
from refine_core.app.processes.cluster import connected
from refine_core.app.processes.memory import keep_freed
from refine_core.app.processes.threads import one_thread
from refine_core.config.ranges import PositiveInt
from refine_core.errors import InputError

A = TypeVar("A")
R = TypeVar("R")
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
    if workers != "auto" and not (isinstance(workers, int) and workers > 0):
        raise InputError(f"Found {workers!r} workers, expected a whole number above 0, or auto.")
    if device != "cpu" and workers not in (1, "auto"):
        raise InputError(
            f"Found {workers} workers for a model on {device}, expected 1: leave it out, or "
            "choose the device cpu."
        )
    rest = iter(inputs)
    cluster = connected()
    if cluster is not None and device == "cpu" and count > 1:
        yield from cluster.map(work, rest)
        return
    most = (1 if device != "cpu" else _cores()) if workers == "auto" else workers
    if workers == "auto" and most > 1 and count > 2:
        started = time.process_time()
        yield _on_one_thread(work, next(rest))
        count -= 1
        most = most if (time.process_time() - started) * count > WORTHWHILE else 1
    with ranks.lent() as distant:
        there = distant if device == "cpu" else []
        others = [*there, *range(most - 1)][: max(0, count - 1)]
        if others:
            yield from _in_processes(work, rest, others)
        else:
            yield from (_on_one_thread(work, each) for each in rest)


def _cores() -> int:
    """The processes that "auto" stands for; those of `torchrun` share the cores."""
    there = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    given = os.environ.get(VARIABLE)
    if given is None:
        return there // ranks.near()
    if not given.isdecimal():
        raise InputError(
            f"Found {VARIABLE}={given}, expected a whole number of processes: set another, or "
            "none."
        )
    return int(given)


def _on_one_thread(work: Callable[[A], R], given: A) -> R:
    """Compute here as a worker does, for rounding depends on the number of threads."""
    with one_thread():
        return work(given)


class Worker(Protocol):
    """Another process that applies a function to inputs."""

    def ask(self, given: bytes) -> tuple[bool, object]:
        """Whether the function was applied to a pickled input, and its result or what it raised.

        Raises:
            EOFError, OSError, pickle.UnpicklingError: The process is gone.
        """
        ...

    def stop(self) -> None:
        """Free what it holds."""
        ...


class Process:
    """A process that this one starts.

    Args:
        work: The pickled function.
    """

    def __init__(self, work: bytes) -> None:
        command = [
            sys.executable,
            "-P",
            "-c",
            "from refine_core.app.processes.workers import serve; serve()",
        ]
        alone = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", VARIABLE), "1")
        path = os.pathsep.join(each or os.getcwd() for each in sys.path)
        environment, pipe = {**os.environ, **alone, "PYTHONPATH": path}, subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment)
        with suppress(BrokenPipeError):  # whoever asks the worker finds out
            self._send(work)

    def ask(self, given: bytes) -> tuple[bool, object]:
        """See `Worker`."""
        self._send(given)
        assert self.process.stdout is not None
        answer: tuple[bool, object] = pickle.load(self.process.stdout)
        return answer

    def stop(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()

    def _send(self, parcel: bytes) -> None:
        assert self.process.stdin is not None
        pickle.dump(parcel, self.process.stdin)
        self.process.stdin.flush()


def _in_processes(
    work: Callable[[A], R], inputs: Iterator[A], others: Sequence[ranks.Rank | int]
) -> Iterator[R]:
    """Compute here, too, and at once: other processes take seconds to start.

    Args:
        work: The function.
        inputs: Its inputs.
        others: Processes that are there, and a number for each that is to be started.
    """
    count = len(others)
    # They are stopped first, so that no thread is left waiting for one.
    with ThreadPoolExecutor(count) as threads, _started(work, others) as free:
        results: deque[Future[R]] = deque()
        try:
            for each in inputs:
                if sum(not result.done() for result in results) < 2 * count:
                    results.append(threads.submit(_ask, free, each))
                else:
                    results.append(Future())
                    results[-1].set_result(_on_one_thread(work, each))
                while results and (results[0].done() or len(results) > MOST_KEPT * (count + 1)):
                    yield results.popleft().result()
            while results:
                yield results.popleft().result()
        finally:
            for result in results:  # nobody waits for them
                result.cancel()


@contextmanager
def _started(work: object, others: Sequence[ranks.Rank | int]) -> Iterator[SimpleQueue[Worker]]:
    """Workers that have the function, in a queue of those that are free; they end with it."""
    parcel, free = pickle.dumps(work), SimpleQueue[Worker]()
    workers: list[Worker] = []
    try:
        for other in others:
            if isinstance(other, int):
                workers.append(Process(parcel))
            else:
                other.begin(parcel)
                workers.append(other)
        for worker in workers:
            free.put(worker)
        yield free
    finally:
        for worker in workers:
            worker.stop()


def _ask(free: SimpleQueue[Worker], given: object) -> Any:
    """Send an input to a free worker and wait for its result."""
    worker = free.get()
    try:
        done, result = worker.ask(pickle.dumps(given))
    except (EOFError, BrokenPipeError, pickle.UnpicklingError):
        raise InputError(
            "A worker process was killed, most likely for want of memory: give --workers 1, or a "
            "smaller --batch."
        ) from None
    finally:
        free.put(worker)
    if not done:
        assert isinstance(result, Exception)
        raise result
    return result


def serve() -> None:
    """Take a function, then inputs, from standard input; write results to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    keep_freed()
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the function prints is no result
    parcels: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(parcels,), daemon=True).start()
    server = Server()
    server.begin(parcels.get())
    while True:
        answer = server.answer(parcels.get())
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
