"""A pytest plugin: the fixture `permutation_kit`, and a table of errors at the end of `pytest -v`.

It is off unless asked for: by `pytest -p graphs.invariance.plugin`, or by
`pytest_plugins = ["graphs.invariance.plugin"]` in the topmost `conftest.py` of a test suite.
Loading it imports no torch.
"""

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from graphs.invariance.report import Check

_CHECKS = pytest.StashKey[list["Check"]]()


class PermutationKit:
    """The public names of `graphs.invariance`, whose assertions add their findings to the table.

    Args:
        test: Name of the test that uses the kit.
        checks: Rows of the table so far.
    """

    def __init__(self, test: str, checks: list["Check"]) -> None:
        from graphs import invariance

        self._room: ModuleType = invariance
        self._test, self._checks = test, checks

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._room, name)
        return self._recording(value) if name.startswith("assert_") else value

    def _recording(self, assertion: Callable[..., Any]) -> Callable[..., Any]:
        """Make an assertion add a row to the table, whether it passes or fails."""
        from graphs.invariance.report import Check, failed

        @wraps(assertion)
        def recording(*args: Any, **kwargs: Any) -> Any:
            try:
                outcome = assertion(*args, **kwargs)
            except AssertionError as error:
                self._checks.append(failed(self._test, error))
                raise
            self._checks.append(Check(self._test, outcome))
            return outcome

        return recording


@pytest.fixture
def permutation_kit(request: pytest.FixtureRequest) -> PermutationKit:
    """The assertions and example batches of `graphs.invariance`.

    In a test: `permutation_kit.assert_permutation_equivariant(model, batch)`.
    """
    return PermutationKit(request.node.name, request.config.stash.setdefault(_CHECKS, []))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table of errors under `pytest -v`."""
    checks = config.stash.get(_CHECKS, [])
    if checks and config.get_verbosity() > 0:
        from graphs.invariance.report import check_table

        terminalreporter.section("permutation kit")
        terminalreporter.write_line(check_table(checks))
