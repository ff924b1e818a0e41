"""Processes as `torchrun` starts them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
REFINE = "refine_core.app.cli"


@contextmanager
def started(
    module: str, count: int, *words: str, only: int | None = None, printed: bool = False
) -> Iterator[list[subprocess.Popen[str]]]:
    """So many processes of a module, or only the first of them; `printed` keeps their stdout."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "MASTER_PORT": port}
    common |= {"TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0"}
    common |= {"MASTER_ADDR": "localhost", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *words]
    running = [
        subprocess.Popen(
            command,
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE if printed else None,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count if only is None else only)
    ]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()
            for pipe in filter(None, (process.stdout, process.stderr)):
                pipe.close()
