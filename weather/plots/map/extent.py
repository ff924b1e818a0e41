"""Which part of the globe is drawn."""

from refine_core.errors import InputError
from weather.fields.grid import Grid
from weather.plots.map.projections import Cap, Rectangle, View, seen
from weather.plots.map.wrapped_grid import Surface

Ends = tuple[float, float]


def chosen_view(
    grid: Grid,
    name: str,
    latitudes: Ends | None,
    longitudes: Ends | None,
    *,
    usual: str,
) -> View:
    """The view that is asked for.

    Args:
        grid: Of the maps.
        name: globe, north or south, or nothing.
        latitudes: Southernmost and northernmost.
        longitudes: Westernmost and easternmost.
        usual: What no name stands for, unless ends are given or the grid is not a globe.

    Raises:
        InputError: The ends are no part of the globe, or of the grid.
    """
    surface = Surface(grid)
    whole = not (latitudes or longitudes) and surface.around
    name = name or (usual if whole else "globe")
    if name == "globe":
        view: View = _rectangle(latitudes, longitudes, surface)
    else:
        view = _cap(name, latitudes, longitudes, surface)
    rows, columns = seen(view, grid)
    if rows.size < 2 or columns.size < 2:
        south, north, west, east = surface.ends
        raise InputError(
            f"Found a map with {rows.size} rows and {columns.size} columns of the forecast, which "
            f"goes from {south:g} to {north:g} and from {west:g} to {east:g} degrees: choose a "
            "larger part of it with --latitudes and --longitudes."
        )
    return view


def _rectangle(latitudes: Ends | None, longitudes: Ends | None, surface: Surface) -> Rectangle:
    ends = surface.ends
    south, north = latitudes or ends[:2]
    west, east = longitudes or ends[2:]
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


def _cap(name: str, latitudes: Ends | None, longitudes: Ends | None, surface: Surface) -> Cap:
    northern = name == "north"
    south, north = latitudes or ((20.0, 90.0) if northern else (-90.0, -20.0))
    edge = south if northern else -north
    if longitudes or not surface.around or not 0 <= edge <= 80:
        raise InputError(
            f"Found --view {name} with the ends of a rectangle or a part of the globe, expected "
            "a grid around the globe, no --longitudes, and --latitudes in that hemisphere: leave "
            "out --view."
        )
    return Cap(float(edge), northern)
