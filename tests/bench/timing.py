"""Ratios of times, measured in turns: what else the machine does hits both sides."""

import statistics
import time
from collections.abc import Callable

Call = Callable[[], object]


def ratio(ours: Call, theirs: Call, seconds: float = 1.5) -> float:
    """Median over turns of the time of the first over that of the second, after a warm-up."""
    taken(ours)
    taken(theirs)
    ratios: list[float] = []
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(ratios) < 5:
        ratios.append(taken(ours) / taken(theirs))
    return statistics.median(ratios)


def taken(call: Call) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
