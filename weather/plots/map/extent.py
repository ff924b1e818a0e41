"""The choice of the part of the globe that maps show."""

from refine_core.errors import InputError
from weather.fields.grid import Grid
from weather.plots.map.projections import PolarCap, Rectangle, View, visible
from weather.plots.map.wrapped_grid import WrappedGrid

Range = tuple[float, float]


def choose_view(
    grid: Grid,
    name: str,
    latitudes: Range | None,
    longitudes: Range | None,
    *,
    default: str,
) -> View:
    """The view that is asked for.

    Args:
        grid: The grid of the maps.
        name: globe, north, south or nothing.
        latitudes: Southernmost and northernmost.
        longitudes: Westernmost and easternmost.
        default: Name of the view of a global grid if nothing is asked for.

    Raises:
        InputError: The latitudes or longitudes are no part of the globe, or of the grid.
    """
    wrapped = WrappedGrid(grid)
    whole = not (latitudes or longitudes) and wrapped.is_global
    name = name or (default if whole else "globe")
    if name == "globe":
        view: View = _rectangle(latitudes, longitudes, wrapped)
    else:
        view = _polar_cap(name, latitudes, longitudes, wrapped)
    rows, columns = visible(view, grid)
    if rows.size < 2 or columns.size < 2:
        south, north, west, east = wrapped.bounds
        raise InputError(
            f"Found a map with {rows.size} rows and {columns.size} columns of the forecast, which "
            f"goes from {south:g} to {north:g} and from {west:g} to {east:g} degrees: choose a "
            "larger part of it with --latitudes and --longitudes."
        )
    return view


def _rectangle(
    latitudes: Range | None, longitudes: Range | None, wrapped: WrappedGrid
) -> Rectangle:
    bounds = wrapped.bounds
    south, north = latitudes or bounds[:2]
    west, east = longitudes or bounds[2:]
    if not (-90 <= south < north <= 90):
        raise InputError(
            f"Found --latitudes {south:g} {north:g}, expected the southern end, then the northern "
            "one, from -90 to 90."
        )
    if not (-180 <= west <= 360 and -180 <= east <= 360 and west != east):
        raise InputError(
            f"Found --longitudes {west:g} {east:g}, expected the western end, then the eastern "
            "one, from -180 to 360."
        )
    return Rectangle(south, north, west, east if east > west else east + 360)


def _polar_cap(
    name: str, latitudes: Range | None, longitudes: Range | None, wrapped: WrappedGrid
) -> PolarCap:
    northern = name == "north"
    south, north = latitudes or ((20.0, 90.0) if northern else (-90.0, -20.0))
    edge = south if northern else -north
    if longitudes or not wrapped.is_global or not 0 <= edge <= 80:
        raise InputError(
            f"Found --view {name} with the ends of a rectangle or a part of the globe, expected "
            "a grid around the globe, no --longitudes, and --latitudes in that hemisphere: leave "
            "out --view."
        )
    return PolarCap(float(edge), northern)
