"""One thread: rounding depends on how many threads of a library share a sum."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
