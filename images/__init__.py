"""Images: iterative refinement over the scales of a picture, up to MNIST end to end."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from images.model import load as load


def __getattr__(name: str) -> Any:
    """`load`, imported when it is asked for: torch takes seconds, and workers do without."""
    if name == "load":
        from images.model import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
