"""Images: iterative refinement over the scales of a picture, up to MNIST end to end."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from images.model import load as load
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
