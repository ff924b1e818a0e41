"""One thread a process, and the same random numbers in every test."""

import os
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from refine_core.app.processes import workers
from refine_core.device import VARIABLE

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # of processes that tests start
os.environ[VARIABLE] = "cpu"
os.environ[workers.VARIABLE] = "1"
set_hypothesis_home_dir(Path(tempfile.gettempdir(), "refine-hypothesis"))  # not the checkout
settings.register_profile("refine", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("refine")


@pytest.fixture(autouse=True)
def seed() -> int:
    """Seed every global generator before each test."""
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    return 0


@pytest.fixture(autouse=True)
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of a device run there, and all others on the CPU."""
    if request.node.get_closest_marker("gpu"):
        monkeypatch.setenv(VARIABLE, "cuda")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a device that is not here."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
