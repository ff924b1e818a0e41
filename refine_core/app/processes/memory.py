"""Memory: what does not fit is refused before it is taken, and what is freed stays."""

import ctypes
import os
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

from refine_core.errors import InputError

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of glibc's malloc.h
_NEVER = 2**31 - 1


def keep_freed() -> None:
    """Have glibc's `malloc` keep large blocks that are freed, for the rest of the process.

    By default they go back to the system, which hands the next ones out page by page, zeroed: on
    CPU a training step spends some 5 % of its time on that, sampling 3 to 10 %. Nothing
    happens where `malloc` is another one.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)


def check_memory(nbytes: int, what: str, remedy: str) -> None:
    """Check that values fit into the memory that this process may take.

    Raises:
        InputError: They do not.
    """
    there = usable_memory()
    if nbytes > there:
        raise InputError(
            f"{what} takes {readable_size(nbytes)} of memory, this process may "
            f"take {readable_size(there)}: {remedy}, or ask for fewer."
        )


def usable_memory() -> int:
    """Bytes of memory that this process may take.

    They are the machine's memory, or what its control groups allow, as batch systems use them, or
    what is left of `ulimit -d` and `ulimit -v`, whichever is least.
    """
    return min(_shared_memory(), _unlimited())


def memory_share() -> int:
    """Bytes that this process may take where one runs on each core, see `usable_memory`."""
    return min(_shared_memory() // (os.cpu_count() or 1), _unlimited())


def _shared_memory() -> int:
    """Bytes of memory that all processes of this machine, or of the control group, have."""
    return min(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), _group_limit())


def _group_limit() -> int:
    """The least memory limit of the control groups (version 2) that this process is in."""
    try:
        (line,) = (x for x in Path("/proc/self/cgroup").read_text().split() if x[:3] == "0::")
    except (OSError, ValueError):
        return sys.maxsize
    group = Path("/sys/fs/cgroup", line[3:].lstrip("/"))
    limits = [sys.maxsize]
    for each in (group, *group.parents):
        with suppress(OSError, ValueError):  # where there is no limit stands the word max
            limits.append(int((each / "memory.max").read_text()))
    return min(limits)


def _unlimited() -> int:
    """Bytes that limits on this process leave it."""
    left = [sys.maxsize]
    with suppress(OSError):  # other systems have no such file
        pages = [int(word) for word in Path("/proc/self/statm").read_text().split()]
        for limit, count in (resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5]):
            most, _ = resource.getrlimit(limit)
            if most != resource.RLIM_INFINITY:
                left.append(most - count * resource.getpagesize())
    return max(0, min(left))


def readable_size(nbytes: float) -> str:
    """Bytes in words.

    >>> readable_size(5_300_000_000), readable_size(999)
    ('5.3 GB', '999 B')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if nbytes < 1000:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1000
    return f"{nbytes:.3g} TB"


def parse_size(text: str) -> int:
    """Bytes, of a number and a unit.

    >>> parse_size("16GB"), parse_size("1.5 TB"), parse_size("8GiB")
    (16000000000, 1500000000000, 8589934592)

    Raises:
        InputError: It is something else.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?\s*", text)
    if match is None or not float(match[1]):
        raise InputError(f"Found the size {text!r}, expected a number and a unit, such as 16GB.")
    power = " kMGT".index(match[2] or " ")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power)
