"""Samples of contractions that contain a given scaffold."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.generators.scaffold.request import ScaffoldRequest as ScaffoldRequest
    from graphs.generators.scaffold.sampler import extend as extend
    from graphs.generators.scaffold.scaffold import Scaffold as Scaffold
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
