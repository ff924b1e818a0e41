"""Verdicts follow the rule."""

import math

import pytest

from images.experiments.paper import Figure
from images.experiments.replication import (
    DIRECTION_ONLY,
    OPEN,
    OTHER_VALUE,
    REPLICATES,
    REVERSED,
    UNPRINTED,
    VALUE,
    Stat,
    judge,
)

LOW, HIGH, NEVER = Stat(1.0, 0.01, 3), Stat(2.0, 0.01, 3), Stat(math.inf, 0, 3)


@pytest.mark.parametrize(
    ("ours", "printed", "base", "printed_base", "expected"),
    [
        (LOW, (1.02, 0.01), None, None, VALUE),
        (LOW, (1.3, 0.01), None, None, OTHER_VALUE),
        (LOW, (1.3, 0.2), None, None, VALUE),
        (LOW, (1.0, None), HIGH, (2.0, None), REPLICATES),
        (LOW, (1.0, 0.0), HIGH, (3.0, 0.0), DIRECTION_ONLY),
        (HIGH, (1.0, 0.0), LOW, (2.0, 0.0), REVERSED),
        (Stat(1.005, 0.0, 3), (0.9, 0.0), Stat(1.0, 0.0, 3), (1.0, 0.0), OPEN),
        (Stat(1.5, 2.0, 3), (0.5, 0.0), LOW, (1.0, 0.0), OPEN),
        (Stat(1.3, 0.1, 2), (1.3, 0.0), Stat(1.0, 0.1, 2), (1.0, 0.0), OPEN),  # 3 standard errors
        (Stat(1.5, 0.1, 2), (1.5, 0.0), Stat(1.0, 0.1, 2), (1.0, 0.0), REPLICATES),  # 5
        (Stat(2.0, 0.0, 1), (2.0, 0.0), Stat(1.0, 0.0, 1), (1.0, 0.0), OPEN),
        (NEVER, (9.0, 1.0), LOW, (14.0, 1.0), REVERSED),
        (NEVER, (9.0, 1.0), NEVER, (14.0, 1.0), OPEN),
        (LOW, (9.0, 1.0), NEVER, (14.0, 1.0), DIRECTION_ONLY),
        (LOW, None, HIGH, (2.0, None), UNPRINTED),
    ],
)
def test_verdict_follows_the_rule(
    ours: Stat,
    printed: Figure | None,
    base: Stat | None,
    printed_base: Figure | None,
    expected: str,
) -> None:
    assert judge(ours, printed, base, printed_base) == expected


def test_a_seed_that_never_reached_the_target_makes_the_mean_infinite() -> None:
    assert Stat.of([3.0, None]).mean == math.inf
