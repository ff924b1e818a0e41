"""Threads: how many share a sum, on which its rounding depends, and how they wait."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SPINS = "2000"
"""Turns of a waiting thread of OpenMP before it sleeps: .1 ms."""


def sleep_early() -> None:
    """Let threads of GNU OpenMP that wait sleep soon; for what loads it from now on.

    By default they spin for as long as most waits in a training last, and where other processes
    want the cores, they keep them from the very thread that they wait for. A training step of two
    threads on two cores took 105 ms alone and 650 to 750 beside two busy processes; so it takes
    114 and 254. The environment decides where it says anything.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


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
