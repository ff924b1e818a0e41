"""A report as one HTML file that needs no other: its sections, and how they are rendered."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.app.html.page import Page as Page
    from refine_core.app.html.page import write_page as write_page
    from refine_core.app.html.sections import Block as Block
    from refine_core.app.html.sections import Card as Card
    from refine_core.app.html.sections import Figure as Figure
    from refine_core.app.html.sections import Frame as Frame
    from refine_core.app.html.sections import Gallery as Gallery
    from refine_core.app.html.sections import KeyFigure as KeyFigure
    from refine_core.app.html.sections import Section as Section
    from refine_core.app.html.sections import Slider as Slider
    from refine_core.app.html.sections import Text as Text
    from refine_core.app.html.sections import sections_of as sections_of
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
