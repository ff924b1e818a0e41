"""A pytest plugin: the fixture `permutation_kit`, and a table at the end of `pytest -v`."""

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from graphs.invariance.report import Check

_CHECKS = pytest.StashKey[list["Check"]]()


class PermutationKit:
    """All public names of `graphs.invariance`; what its assertions find goes into the table.

    Args:
        part: Name of the test.
        checks: The table's lines.
    """

    def __init__(self, part: str, checks: list["Check"]) -> None:
        from graphs import invariance

        self._kit: ModuleType = invariance
        self._part, self._checks = part, checks

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._kit, name)
        return self._noting(found) if name.startswith("assert_") else found

    def _noting(self, assertion: Callable[..., Any]) -> Callable[..., Any]:
        from graphs.invariance.report import Check, failed

        @wraps(assertion)
        def noting(*args: Any, **kwargs: Any) -> Any:
            try:
                outcome = assertion(*args, **kwargs)
            except AssertionError as error:
                self._checks.append(failed(self._part, error))
                raise
            self._checks.append(Check(self._part, outcome))
            return outcome

        return noting


@pytest.fixture
def permutation_kit(request: pytest.FixtureRequest) -> PermutationKit:
    """The assertions and example batches of `graphs.invariance`.

    In a test: `permutation_kit.assert_permutation_equivariant(model, batch)`.
    """
    return PermutationKit(request.node.name, request.config.stash.setdefault(_CHECKS, []))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table of errors."""
    checks = config.stash.get(_CHECKS, [])
    if checks and config.get_verbosity() > 0:
        from graphs.invariance.report import table

        terminalreporter.section("permutation kit")
        terminalreporter.write_line(table(checks))
