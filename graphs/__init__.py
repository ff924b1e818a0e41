"""Graphs: iterative refinement over coarsenings of a graph."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.model import load as load
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
