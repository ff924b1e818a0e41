"""The meteogram: the forecast at one grid point."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from refine_core.errors import InputError
from weather.fields.grid import Grid
from weather.fields.labels import format_number
from weather.plots.figure import MAIN, Line, save_with_heading
from weather.plots.forecast_field import ForecastField, time_name
from weather.plots.map.projections import meridian, parallel

BANDS = {
    "all members": (0, 100, "#d9e6f1"),
    "10 to 90 %": (10, 90, "#a7c4de"),
    "25 to 75 %": (25, 75, "#6a9bc6"),
}
"""Bands of the fan of a meteogram: the percentiles at their ends, and their colours."""
CLIMATE, CLIMATE_LINE, CLIMATE_QUANTILES = "#ece7dc", "#8c6d31", (0.1, 0.5, 0.9)
"""Colours of the band of climatology, and the quantiles at its lower end, middle and upper end."""
PAST_DAYS = 2
"""Days before the initial time of which the truth is shown, if it is known."""
TRUTH = Line("black", 1.1, marker="o", order=3)
BOX = 0.12
"""Days on either side of the only lead time of a forecast that is shown as boxes."""
HOUR, DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")


def grid_point(grid: Grid, point: tuple[float, float]) -> tuple[int, int]:
    """Row and column of the grid point nearest to a latitude and longitude.

    Raises:
        InputError: The point is not on the globe, or the grid does not reach it.
    """
    latitude, longitude = point
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 360):
        raise InputError(
            f"Found --point {latitude:g} {longitude:g}, expected a latitude from -90 to 90 and a "
            "longitude from -180 to 360, in this order."
        )
    up = np.abs(grid.latitude - latitude)
    across = np.abs((grid.longitude - longitude + 180) % 360 - 180)
    row, column = int(up.argmin()), int(across.argmin())
    for distance, values in ((up[row], grid.latitude), (across[column], grid.longitude)):
        if distance > 1.01 * np.median(np.diff(values)):
            south, north, west, east = *grid.latitude[[0, -1]], *grid.longitude[[0, -1]]
            raise InputError(
                f"Found --point {latitude:g} {longitude:g}, but the forecast covers latitudes "
                f"{south:g} to {north:g} and longitudes {west:g} to {east:g} only: choose a point "
                "there."
            )
    return row, column


def plot_meteogram(
    fields: Sequence[ForecastField], where: tuple[int, int], reason: str, path: Path
) -> None:
    """Members at one grid point as fans over lead time, a panel a variable.

    Args:
        fields: Fields of one start.
        where: Row and column of the grid point.
        reason: Why this point was chosen.
        path: Path of the picture.
    """
    first, count = fields[0], len(fields)
    wide, tall = 9.0, 1.25 + 1.5 * count + 0.3
    figure = Figure(figsize=(wide, tall))
    for index, field in enumerate(fields):
        lower = tall - 1.25 - 1.5 * (index + 1) + 0.3
        axis = figure.add_axes((0.75 / wide, lower / tall, (wide - 1.15) / wide, 1.2 / tall))
        _fan(axis, field, where)
        axis.set_title(f"{field.display.heading} ({field.display.unit})", fontsize=9)
        _day_ticks(axis, field, labels=index == count - 1)
    _add_legend(figure, fields)
    latitude, longitude = first.grid.latitude[where[0]], first.grid.longitude[where[1]]
    point = f"{parallel(latitude)} {meridian(longitude)}"
    about = f"{reason}; {first.description}"
    save_with_heading(figure, path, f"Meteogram of the grid point {point}", about)


def _add_legend(figure: Figure, fields: Sequence[ForecastField]) -> None:
    """Add the legend of all panels, at the top."""
    handles: dict[str, Artist] = {}
    if not fields[0].is_single:
        handles = {name: Patch(fc=tint) for name, (_, _, tint) in BANDS.items()}
    median = "forecast" if fields[0].is_single else "median"
    handles[median] = Line2D([], [], color=MAIN, lw=1.8)
    if any(field.truth is not None for field in fields):
        handles["truth"] = TRUTH.artist()
    if any(field.climatology is not None for field in fields):
        handles["climatology (median, 10 to 90 %)"] = Patch(fc=CLIMATE, ec=CLIMATE_LINE, ls="--")
    wide, tall = figure.get_size_inches()
    figure.legend(
        list(handles.values()),
        list(handles),
        ncols=len(handles),
        columnspacing=1.4,
        fontsize=8.5,
        loc="upper left",
        bbox_to_anchor=(0.1 / wide, 1 - 0.58 / tall),
    )


def _fan(axis: Axes, field: ForecastField, where: tuple[int, int]) -> None:
    """Plot the members, the truth from some days before the start on, and climatology."""
    members, leads = field.at_point(*where), field.leads
    known = np.isfinite(members).all(0)  # what is predicted only has no number at the start
    if not known.any():
        axis.text(0.5, 0.5, "no number at this point", transform=axis.transAxes, ha="center")
        return
    members, leads = members[:, known], leads[known]
    days = leads / DAY
    if len(days) == 1:  # as boxes, since lines need two points
        members, leads = members[:, [0, 0]], leads[[0, 0]]
        days = days[[0, 0]] + (-BOX, BOX)
    if field.climatology is not None:
        valid = field.start + leads
        low, middle, high = field.climatology.quantiles_at_point(valid, *where, CLIMATE_QUANTILES)
        axis.fill_between(days, low, high, color=CLIMATE, lw=0, zorder=0.5)
        for edge, dashes in ((low, "--"), (middle, "-"), (high, "--")):
            Line(CLIMATE_LINE, 0.9, dashes, order=2.5).plot(axis, days, edge)
    for low, high, tint in BANDS.values():
        ends = np.percentile(members, [low, high], axis=0)
        axis.fill_between(days, *ends, color=tint, lw=0)
    axis.plot(days, np.median(members, 0), color=MAIN, lw=1.8)
    if field.truth is not None:
        times = field.truth.times
        first, last = field.start - PAST_DAYS * DAY, field.start + field.leads[-1]
        shown = times[(times >= first) & (times <= last)]
        known = (shown - field.start) / DAY
        TRUTH.plot(axis, known, field.truth.at_point(shown, *where))


def _day_ticks(axis: Axes, field: ForecastField, *, labels: bool) -> None:
    """Put ticks at midnights, or at lead times if there are few, with date and lead time."""
    days = field.leads / DAY
    first, last = min(0.0, float(days[0])), float(days[-1])
    if field.truth is not None:
        earliest = (field.truth.times.min() - field.start) / DAY
        first = min(first, max(-PAST_DAYS, float(earliest)))
        axis.axvspan(first, 0, color="#f3f3f3", lw=0, zorder=0.1)
    whole = np.arange(np.ceil(first), np.floor(last) + 1)
    daily = len(whole) > 2
    ticks = whole if daily else days
    stride = max(1, -(-len(ticks) // 13))
    ticks = ticks[ticks % stride == 0] if daily else ticks[::stride]
    axis.set_xlim(first, last + (2 * BOX if len(days) == 1 else 0))
    axis.margins(y=0.08)
    hours = np.round(ticks * 24).astype(np.int64) * HOUR
    midnight = field.start == field.start.astype("datetime64[D]")
    form = "%a %d %b" if daily and midnight else "%a %d %b\n%H UTC"
    names = [
        f"{time_name(field.start + hour, form)}\n{_day_name(tick)}"
        for hour, tick in zip(hours, ticks, strict=True)
    ]
    axis.set_xticks(ticks, names if labels else [""] * len(ticks), fontsize=7)
    axis.locator_params(axis="y", nbins=5)


def _day_name(day: float) -> str:
    return f"day {format_number(day)}" if day else "initial time"


def most_uncertain_point(field: ForecastField, lead: np.timedelta64) -> tuple[int, int]:
    """Row and column of the grid point where members differ most, or where one changes most."""
    if field.is_single:
        spread = field.mean_and_spread(field.leads)[0].std(0)
    else:
        spread = field.mean_and_spread(np.array([lead]))[1][0]
    row, column = np.unravel_index(np.nanargmax(spread), spread.shape)
    return int(row), int(column)
