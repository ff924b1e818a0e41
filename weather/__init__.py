"""Weather: iterative refinement over latitude-longitude pyramids."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.model import load as load
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
