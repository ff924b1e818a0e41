"""Several processes equal one: losses over samples, over terms, and of the whole batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from refine_core.training.state import Row
from tests.refine_core.training.processes import KINDS, train

Result = tuple[dict[str, Tensor], Row]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[list[Result]]:
    """What each of two processes has for each kind; as `torchrun` starts them."""
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}
    common |= {"MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0"}
    common |= {"PYTHONPATH": str(Path(__file__).parents[3]), "OMP_NUM_THREADS": "1"}
    running = []
    for rank in ("0", "1"):
        env = {**os.environ, **common, "RANK": rank, "LOCAL_RANK": rank}
        command = [
            sys.executable,
            "-m",
            "tests.refine_core.training.processes",
            str(folder / rank),
        ]
        running.append(subprocess.Popen(command, env=env))
    try:
        assert [process.wait(120) for process in running] == [0, 0]
    finally:
        for process in running:
            process.kill()
    return [torch.load(folder / rank, weights_only=True) for rank in ("0", "1")]


@pytest.mark.parametrize("place", range(len(KINDS)))
def test_two_processes_equal_one(place: int, results: list[list[Result]]) -> None:
    weights, row = train(KINDS[place])
    for process in results:
        found, metrics = process[place]
        torch.testing.assert_close(found, weights, rtol=1e-4, atol=1e-5)
        known = {name: value for name, value in row.items() if name != "seconds"}
        assert {name: metrics[name] for name in known} == pytest.approx(known, rel=1e-3, abs=1e-5)
