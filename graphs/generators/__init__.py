"""Kinds of generators of graphs, each in a room of its own, on the refiner of the core."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.generators.config import ModelConfig as ModelConfig
    from graphs.generators.kinds import kind_of as kind_of
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
