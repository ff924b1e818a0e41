import os
import subprocess
import sys

import pytest

from refine_core.app.processes.threads import SPINS

ASK = """
import os, sys
os.getloadavg, os.cpu_count = lambda: ({load}, 9, 9), lambda: 4
from refine_core.app.cli import main
main(["--version"])
print(os.environ.get("GOMP_SPINCOUNT"), "torch" in sys.modules)
"""


@pytest.mark.parametrize(
    ("load", "given", "expected"),
    [
        (2.5, {}, SPINS),
        (1.5, {}, "None"),
        (2.5, {"GOMP_SPINCOUNT": "7"}, "7"),
        (2.5, {"OMP_WAIT_POLICY": "ACTIVE"}, "None"),
    ],
)
def test_waiting_threads_sleep_early_on_a_busy_machine(
    load: float, given: dict[str, str], expected: str
) -> None:
    own = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    command = [sys.executable, "-c", ASK.format(load=load)]
    found = subprocess.run(command, env=own | given, capture_output=True, text=True, check=True)
    # It is set before torch comes along, whose OpenMP reads it when it is loaded.
    assert found.stdout.splitlines()[-1] == f"{expected} False"
