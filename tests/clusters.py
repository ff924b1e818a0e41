"""Dask clusters on this machine, to test with."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def cluster(workers: int, **settings: object) -> Iterator[str]:
    """The address of the scheduler of processes of one thread each.

    Args:
        workers: Their number.
        settings: Of dask's configuration, as `distributed.scheduler.allowed-failures` is.
    """
    pytest.importorskip("distributed")
    import dask
    from distributed import LocalCluster

    quiet = {"distributed.logging.distributed": "critical", "distributed.scheduler.work-stealing": True}
    with dask.config.set({**quiet, **settings}):
        with LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=50,
            host="127.0.0.1",
        ) as made:
            yield made.scheduler_address
