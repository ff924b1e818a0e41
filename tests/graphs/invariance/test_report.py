"""The table of checks, and the pytest plugin."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from graphs.invariance import (
    Check,
    assert_exchangeable,
    assert_permutation_equivariant,
    check_model,
    dense_example,
    graph_example,
    table,
)
from graphs.invariance.report import Outcome
from refine_core.errors import InputError
from tests.graphs.invariance.models import DIM, DeepSet, Position

TESTS = """
import pytest, torch

def test_passes(permutation_kit):
    batch = permutation_kit.dense_example(dim=3)
    permutation_kit.assert_permutation_equivariant(lambda x, a, v: 2 * x, batch)

def test_fails(permutation_kit):
    batch = permutation_kit.dense_example(dim=3)
    with pytest.raises(permutation_kit.PermutationError):
        permutation_kit.assert_permutation_invariant(lambda x, a, v: x[:, 0], batch)
"""


def pytest_run(folder: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(source)
    paths = os.pathsep.join([str(Path(__file__).parents[3]), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "graphs.invariance.plugin", *options, "test_it.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )


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
    assert len({len(line) for line in printed}) == 1
    assert [line.split("|")[1].strip() for line in printed[2:]] == ["pool", "positions", "few"]
    assert [line.split("|")[-2].strip() for line in printed[2:]] == ["pass", "FAIL", "FAIL"]
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
    assert len(table([]).splitlines()) == 2
    assert table([Check("a", None, "why")]).splitlines()[2].endswith("| FAIL    |")


def test_fixture_offers_the_kit_and_pytest_ends_with_a_table(tmp_path: Path) -> None:
    verbose = pytest_run(tmp_path, TESTS, "-v")
    assert "2 passed" in verbose.stdout, verbose.stdout + verbose.stderr
    assert "| test_passes | equivariance |" in verbose.stdout
    assert verbose.stdout.count("| FAIL    |") == 1
    assert "| part" not in pytest_run(tmp_path, TESTS).stdout


def test_plugin_alone_imports_nothing_heavy(tmp_path: Path) -> None:
    source = """
import sys
def test_light():
    assert not {"torch", "torch_geometric", "networkx"} & set(sys.modules)
"""
    run = pytest_run(tmp_path, source)
    assert "1 passed" in run.stdout, run.stdout
    source = """
import sys
def test_without_geometric(permutation_kit):
    permutation_kit.assert_permutation_equivariant(
        lambda x, a, v: x, permutation_kit.dense_example())
    assert "torch" in sys.modules and "torch_geometric" not in sys.modules
"""
    run = pytest_run(tmp_path, source)
    assert "1 passed" in run.stdout, run.stdout
