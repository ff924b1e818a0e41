"""The pytest plugin: its fixture and table, and that nobody has it who does not ask for it."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest

def test_passes(permutation_kit):
    batch = permutation_kit.dense_example(dim=3)
    permutation_kit.assert_permutation_equivariant(lambda x, a, v: 2 * x, batch)

def test_fails(permutation_kit):
    batch = permutation_kit.dense_example(dim=3)
    with pytest.raises(permutation_kit.PermutationError):
        permutation_kit.assert_permutation_invariant(lambda x, a, v: x[:, 0], batch)
"""


def test_fixture_offers_the_kit_and_pytest_ends_with_a_table(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    options = ("-p", "graphs.invariance.plugin", "-p", "no:cacheprovider")
    verbose = pytester.runpytest_inprocess(*options, "-v")
    verbose.assert_outcomes(passed=2)
    printed = verbose.stdout.str()
    assert "| test_passes | equivariance |" in printed and printed.count("| FAIL ") == 1
    assert "| part" not in pytester.runpytest_inprocess(*options).stdout.str()


def test_plugin_imports_no_torch_and_the_kit_no_pytorch_geometric() -> None:
    source = """
import sys, graphs.invariance.plugin
assert not {"torch", "torch_geometric", "networkx"} & set(sys.modules)
from graphs.invariance import assert_permutation_equivariant, dense_example
assert_permutation_equivariant(lambda x, a, v: x, dense_example(), relabellings=1)
assert "torch_geometric" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", source], cwd=Path(__file__).parents[3], check=True)


def test_projects_with_a_package_of_their_own_called_graphs_are_left_alone(tmp_path: Path) -> None:
    try:
        distribution("refine")
    except PackageNotFoundError:
        pytest.skip("needs refine to be installed")
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "__init__.py").write_text("ANSWER = 42\n")
    source = "import graphs\n\ndef test_own():\n    assert graphs.ANSWER == 42\n"
    (tmp_path / "test_own.py").write_text(source)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr
