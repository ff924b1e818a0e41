"""The table of checks."""

from collections.abc import Callable

import pytest
from torch import nn

from graphs.invariance import (
    Check,
    assert_exchangeable,
    assert_permutation_equivariant,
    check_model,
    check_table,
    dense_example,
    graph_example,
)
from graphs.invariance.report import Outcome
from refine_core.errors import InputError
from tests.graphs.invariance.models import DIM, DeepSet, Position


def test_check_model_prints_a_line_for_each_part_and_what_failed() -> None:
    batch = dense_example(DIM)
    said: list[str] = []
    position = Position()
    parts: list[tuple[str, Callable[[], Outcome]]] = [
        ("pool", lambda: assert_permutation_equivariant(DeepSet(), batch)),
        (
            "positions",
            lambda: assert_permutation_equivariant(position, batch, call=lambda m, b: m(b[0])),
        ),
        ("few", lambda: assert_exchangeable(lambda seed: graph_example(seed=seed)[4:6])),
    ]
    assert check_model(parts[:1], say=said.append)
    assert len(said) == 1
    assert not check_model(parts, say=said.append)
    printed = said[1].splitlines()
    assert [line.split("|")[1].strip() for line in printed[2:]] == ["pool", "positions", "few"]
    assert [line.split("|")[-2].strip() for line in printed[2:]] == ["pass", "FAIL", "undecided"]
    assert "(Position)" not in said[1] and "forward code of Position itself" in said[2]
    assert "Too few graphs" in said[3]


def test_other_assertions_fail_too_and_other_errors_are_not_hidden() -> None:
    def wrong() -> None:
        raise AssertionError

    said: list[str] = []
    assert not check_model([("any", wrong)], say=said.append)  # type: ignore[list-item]
    assert "assertion failed" in said[1]
    with pytest.raises(InputError):
        check_model([("any", lambda: assert_permutation_equivariant(nn.Identity(), None))])


def test_table_of_nothing_is_a_head() -> None:
    assert len(check_table([]).splitlines()) == 2
    assert check_table([Check("a", None, "why", "FAIL")]).splitlines()[2].endswith("| FAIL |")
