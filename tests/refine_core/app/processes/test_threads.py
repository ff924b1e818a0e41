import os
import subprocess
import sys

import pytest

from refine_core.app.processes.threads import SPINS

ASK = """
import os
from refine_core.app.cli import main
main(["--version"])
print(os.environ.get("GOMP_SPINCOUNT"), "torch" in __import__("sys").modules)
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, SPINS),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "None"),
    ],
)
def test_waiting_threads_sleep_early_unless_the_environment_says_otherwise(
    given: dict[str, str], expected: str
) -> None:
    own = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    command = [sys.executable, "-c", ASK]
    found = subprocess.run(command, env=own | given, capture_output=True, text=True, check=True)
    # It is set before torch comes along, whose OpenMP reads it when it is loaded.
    assert found.stdout.splitlines()[-1] == f"{expected} False"
