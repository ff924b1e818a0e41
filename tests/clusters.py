"""Dask clusters on this machine, to test with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from distributed import LocalCluster


@contextmanager
def cluster(workers: int, **settings: object) -> Iterator["LocalCluster"]:
    """Processes of one thread each, beside a scheduler in this process.

    Args:
        workers: Their number.
        settings: Of dask's configuration of distributed.
    """
    pytest.importorskip("distributed")
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set({f"distributed.{name}": value for name, value in settings.items()}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
            host="127.0.0.1",
        ) as made,
    ):
        yield made
