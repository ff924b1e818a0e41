"""Rules that decide, from numbers only, whether a printed figure replicates.

value      agrees if it is within two combined standard deviations of the printed one, or 5 %
direction  of a row against the first row of its table: holds if our difference has the sign of
           the printed one and exceeds two standard errors and 1 % of the first row; is open if
           it does not exceed them
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from images.experiments.paper import Figure

REPLICATES = "replicates"
DIRECTION_ONLY = "direction holds, value does not"
OPEN = "no difference"
REVERSED = "does not replicate"
VALUE = "value agrees"
OTHER_VALUE = "value does not replicate"
UNPRINTED = "not printed"
DEFINED = "by definition"


@dataclass(frozen=True)
class Stat:
    """A quantity over seeds.

    Args:
        mean: Infinite if some seed never got there.
        std: Sample standard deviation, 0 for a single seed.
        seeds: How many.
    """

    mean: float
    std: float
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> "Stat":
        """Summarise one value per seed, None for never.

        >>> Stat.of([1.0, 3.0]).mean, Stat.of([1.0, None]).mean
        (2.0, inf)
        """
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return cls(math.inf, 0.0, len(values))
        return cls(fmean(known), stdev(known) if len(known) > 1 else 0.0, len(known))


def compare(ours: Stat, base: Stat) -> int:
    """Sign of `ours` against `base`: -1 lower, 1 higher, 0 not to be told apart.

    >>> compare(Stat(1.0, 0.1, 3), Stat(2.0, 0.1, 3)), compare(Stat(1.0, 3, 3), Stat(2.0, 3, 3))
    (-1, 0)
    """
    if math.isinf(ours.mean) or math.isinf(base.mean):
        return (ours.mean > base.mean) - (ours.mean < base.mean)
    error = math.sqrt(ours.std**2 / ours.seeds + base.std**2 / base.seeds)
    difference = ours.mean - base.mean
    if abs(difference) <= max(2 * error, 0.01 * abs(base.mean)):
        return 0
    return 1 if difference > 0 else -1


def agrees(ours: Stat, printed: Figure) -> bool:
    """Whether a value is the printed one.

    >>> agrees(Stat(1.04, 0.0, 3), (1.0, None)), agrees(Stat(1.06, 0.0, 3), (1.0, 0.0))
    (True, False)
    """
    mean, std = printed
    spread = math.sqrt(ours.std**2 + (std or 0) ** 2)
    return abs(ours.mean - mean) <= max(2 * spread, 0.05 * abs(mean))


def judge(
    ours: Stat, printed: Figure | None, base: Stat | None, printed_base: Figure | None
) -> str:
    """Verdict on one cell.

    Args:
        ours: Measured.
        printed: In the paper.
        base: Measured, of the first row of the table; None if this is the first row.
        printed_base: In the paper, of the first row.
    """
    if printed is None:
        return UNPRINTED
    if base is None or printed_base is None:
        return VALUE if agrees(ours, printed) else OTHER_VALUE
    claimed = (printed[0] > printed_base[0]) - (printed[0] < printed_base[0])
    found = compare(ours, base)
    if found == 0 and claimed != 0:
        return OPEN
    if found != claimed:
        return REVERSED
    values = agrees(ours, printed) and agrees(base, printed_base)
    return REPLICATES if values else DIRECTION_ONLY
