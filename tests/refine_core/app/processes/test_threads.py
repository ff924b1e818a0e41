import os
import subprocess
import sys
from pathlib import Path

import pytest

from refine_core.app.processes.threads import SPINS

ASK = """
import os, sys
from pathlib import Path
from refine_core.app.processes import threads
threads.RUNNING, os.cpu_count = Path(sys.argv[1]), lambda: 4
from refine_core.app.cli import main
main(["--version"])
print(os.environ.get("GOMP_SPINCOUNT"), "torch" in sys.modules)
"""


@pytest.mark.parametrize(
    ("running", "given", "expected"),
    [
        (4, {}, SPINS),
        (3, {}, "None"),
        (None, {}, "None"),
        (4, {"GOMP_SPINCOUNT": "7"}, "7"),
        (4, {"OMP_WAIT_POLICY": "ACTIVE"}, "None"),
    ],
)
def test_waiting_threads_sleep_early_on_a_busy_machine(
    running: int | None, given: dict[str, str], expected: str, tmp_path: Path
) -> None:
    if running is not None:
        (tmp_path / "loadavg").write_text(f"9.00 9.00 9.00 {running}/450 12345\n")
    own = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    command = [sys.executable, "-c", ASK, str(tmp_path / "loadavg")]
    found = subprocess.run(command, env=own | given, capture_output=True, text=True, check=True)
    # It is set before torch comes along, whose OpenMP reads it when it is loaded.
    assert found.stdout.splitlines()[-1] == f"{expected} False"
