"""Freed memory stays with the process; what it may take is the least of all limits."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from refine_core.app.processes import memory
from refine_core.app.processes.memory import check_memory, usable_memory
from refine_core.errors import InputError

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


def physical() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="control groups")
def test_a_control_group_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"/sys/fs/cgroup/job/memory.max": "3000000", "/sys/fs/cgroup/memory.max": "max"}
    files = {"/proc/self/cgroup": "0::/job\n", **limits}
    read = Path.read_text

    def text(path: Path) -> str:
        return files[str(path)] if str(path) in files else read(path)

    monkeypatch.setattr(Path, "read_text", text)
    assert usable_memory() == 3_000_000
    with pytest.raises(InputError, match=r"^A list takes 4 MB .* may take 3 MB: sort it, or"):
        check_memory(4_000_000, "A list", "sort it")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("kind", [resource.RLIMIT_AS, resource.RLIMIT_DATA])
def test_limits_of_the_process_count(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {kind: 2**40}
    monkeypatch.setattr(memory, "_shared_memory", lambda: 2**50)
    monkeypatch.setattr(resource, "getrlimit", lambda of: (limits.get(of, -1), -1))
    assert 2**39 < usable_memory() < 2**40
    limits[kind] = 2**20  # less than it has taken already
    assert usable_memory() == 0
    with pytest.raises(InputError, match=r"takes 1 B of memory, this process may take 0 B"):
        check_memory(1, "A list", "sort it")


def test_without_limits_it_is_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_group_limit", lambda: sys.maxsize)
    monkeypatch.setattr(memory, "_unlimited", lambda: sys.maxsize)
    assert usable_memory() == physical()
