"""The meteogram: the forecast at one grid point."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from refine_core.errors import InputError
from weather.fields.grid import Grid
from weather.plots.figure import MAIN, save_with_heading
from weather.plots.forecast_field import ForecastField, time_name
from weather.plots.map.projections import meridian, parallel

BANDS = {
    "all members": (0, 100, "#d9e6f1"),
    "10 to 90 %": (10, 90, "#a7c4de"),
    "25 to 75 %": (25, 75, "#6a9bc6"),
}
"""Bands of the fan of a meteogram: the percentiles at their ends, and their colours."""
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
    handles: dict[str, Artist] = {
        name: figure.axes[0].fill_between([], [], color=tint, lw=0)
        for name, (_, _, tint) in BANDS.items()
    }
    handles["median"] = Line2D([], [], color=MAIN, lw=1.8)
    if any(field.truth is not None for field in fields):
        handles["truth"] = Line2D([], [], color="black", marker="o", ms=3, lw=1.0, ls="--")
    figure.legend(
        list(handles.values()),
        list(handles),
        ncols=5,
        fontsize=8.5,
        loc="upper right",
        bbox_to_anchor=(1 - 0.2 / wide, 1 - 0.6 / tall),
    )
    latitude, longitude = first.grid.latitude[where[0]], first.grid.longitude[where[1]]
    point = f"{parallel(latitude)} {meridian(longitude)}"
    about = f"{reason}; {first.description}"
    save_with_heading(figure, path, f"Meteogram of the grid point {point}", about)


def _fan(axis: Axes, field: ForecastField, where: tuple[int, int]) -> None:
    members, truth = field.at_point(*where)
    days = field.leads / DAY
    if not np.isfinite(members).all():
        axis.text(0.5, 0.5, "no number at this point", transform=axis.transAxes, ha="center")
        return
    for low, high, tint in BANDS.values():
        ends = np.percentile(members, [low, high], axis=0)
        axis.fill_between(days, *ends, color=tint, lw=0)
    axis.plot(days, np.median(members, 0), color=MAIN, lw=1.8)
    axis.plot(days, truth, color="black", marker="o", ms=2.5, lw=1.0, ls="--", clip_on=False)


def _day_ticks(axis: Axes, field: ForecastField, *, labels: bool) -> None:
    """Put ticks at midnights, or at lead times if there are few, with date and lead time."""
    days = field.leads / DAY
    first, last = float(days[0]), float(days[-1])
    whole = np.arange(np.ceil(first), np.floor(last) + 1)
    daily = len(whole) > 2
    ticks = whole if daily else days
    ticks = ticks[:: max(1, -(-len(ticks) // 11))]
    axis.set_xlim(first, last if last > first else first + 1)
    axis.margins(y=0.08)
    hours = np.round(ticks * 24).astype(np.int64) * HOUR
    midnight = field.start == field.start.astype("datetime64[D]")
    form = "%a %d %b" if daily and midnight else "%a %d %b\n%H UTC"
    names = [
        f"{time_name(field.start + hour, form)}\nday {tick:.3g}"
        for hour, tick in zip(hours, ticks, strict=True)
    ]
    axis.set_xticks(ticks, names if labels else [""] * len(ticks), fontsize=7)
    axis.locator_params(axis="y", nbins=5)


def most_uncertain_point(field: ForecastField, lead: np.timedelta64) -> tuple[int, int]:
    """Row and column of the grid point where members differ most."""
    spread = field.mean_and_spread(np.array([lead]))[1][0]
    row, column = np.unravel_index(np.nanargmax(spread), spread.shape)
    return int(row), int(column)
