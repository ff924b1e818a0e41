"""Graphs: iterative refinement over coarsenings of a graph."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphs.model import load as load


def __getattr__(name: str) -> Any:
    """`load`, imported when it is asked for: torch takes seconds, and workers do without."""
    if name == "load":
        from graphs.model import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
