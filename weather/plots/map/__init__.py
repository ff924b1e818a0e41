"""Maps: views of the globe, colours, coastlines, and figures with several maps.

Cartopy 0.26 was tried in place of the projections here: its filled contours left out whole bands
of colour in a map across the dateline, the grid had to be closed at the poles all the same, and
pictures took 1.4 times as long. It saved about a hundred lines at the cost of four packages
(60 MB).
"""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.plots.map.coastlines import coastlines_between as coastlines_between
    from weather.plots.map.colour_scale import ColourScale as ColourScale
    from weather.plots.map.extent import choose_view as choose_view
    from weather.plots.map.map_figure import LineStyle as LineStyle
    from weather.plots.map.map_figure import MapAxis as MapAxis
    from weather.plots.map.map_figure import MapFigure as MapFigure
    from weather.plots.map.projections import PolarCap as PolarCap
    from weather.plots.map.projections import Rectangle as Rectangle
    from weather.plots.map.projections import View as View
    from weather.plots.map.wrapped_grid import WrappedGrid as WrappedGrid
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
