"""Public names of a package, imported when they are asked for.

Torch takes seconds to import, and `refine --help` and worker processes do without. A package lists
its public names once, where type checkers and readers look for them:

    if TYPE_CHECKING:
        from graphs.data.batch import GraphBatch as GraphBatch
    else:
        __getattr__, __dir__, __all__ = lazy(__name__)
"""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path


def lazy(package: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Make `__getattr__`, `__dir__` and `__all__` of a package.

    Args:
        package: Its `__name__`. The public names are those that its `__init__.py` imports under
            `if TYPE_CHECKING:` as `from module import name as name`.
    """
    module = sys.modules[package]
    assert module.__file__ is not None
    homes = _homes(Path(module.__file__).read_text(encoding="utf-8"))

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, original = homes[name]
        value = getattr(import_module(home), original)
        setattr(module, name, value)
        return value

    names = sorted(homes)
    hidden = {"TYPE_CHECKING", "lazy"}
    return get, lambda: sorted({*vars(module), *names} - hidden), names


def _homes(source: str) -> dict[str, tuple[str, str]]:
    """Map each public name to its module and its name there."""
    blocks = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {
        alias.asname: (statement.module, alias.name)
        for block in blocks
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
        if alias.asname
    }
