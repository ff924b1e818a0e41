"""Threads: how many share a sum, on which its rounding depends, and how they wait."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SPINS, BUSY = "2000", 0.5
"""Turns of a waiting thread of OpenMP before it sleeps, .1 ms; share of cores in use from which on
a machine is busy."""
LOOKS = 3
RUNNING = Path("/proc/loadavg")
"""Says on Linux, in its fourth word, how many threads run or wait for a core now."""


def sleep_early() -> None:
    """On a busy machine, let threads of GNU OpenMP that wait sleep soon; call it before torch.

    By default they spin for as long as most waits in a training last. Where other processes want
    the cores, they keep them from the very thread that they wait for: beside a busy process on
    each of two cores, a training step takes 4.9 times as long as alone, and 2.5 times if they
    sleep (`python -m tests.bench.run threads`). What the environment says holds.
    """
    if "OMP_WAIT_POLICY" not in os.environ and _others() > BUSY * (os.cpu_count() or 1):
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def _others() -> int:
    """Threads beside this one that run or wait for a core, the fewest of a few looks."""
    if not RUNNING.exists():
        return 0
    found = []
    for _ in range(LOOKS):
        found.append(int(RUNNING.read_text().split()[3].partition("/")[0]) - 1)
        time.sleep(0.005)
    return min(found)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and the linear algebra of numpy compute on one thread, where they are loaded."""
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 1
    if torch:
        torch.set_num_threads(1)
    try:
        if "numpy" in sys.modules:
            from threadpoolctl import threadpool_limits

            with threadpool_limits(1, user_api="blas"):
                yield
        else:
            yield
    finally:
        if torch:
            torch.set_num_threads(threads)


def stay_on_one_thread() -> None:
    """Let torch, numpy and dask, where loaded, compute on one thread from now on.

    For processes that are one of several: dask would else read with a thread for each core.
    """
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(1, user_api="blas")
    if "dask" in sys.modules:
        sys.modules["dask"].config.set(scheduler="synchronous")
