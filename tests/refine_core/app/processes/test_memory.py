"""Freed memory stays with the process."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
{keep}
for _ in range({times}):
    torch.ones(2**24).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_a_freed_block_is_not_faulted_in_again() -> None:
    def faults(keep: str, times: int) -> int:
        code = FAULTS.format(keep=keep, times=times)
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return int(run.stdout)

    def grown(keep: str) -> int:
        return faults(keep, 40) - faults(keep, 1)

    # Not none: a block may start a few bytes later than the one before, and grow the heap.
    assert grown("") > 2 * grown(
        "from refine_core.app.processes.memory import keep_freed; keep_freed()"
    )
