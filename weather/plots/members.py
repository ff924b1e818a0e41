"""All members in one picture: as stamps (small maps), or as spaghetti (lines of one value)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refine_core.app.figures import PALETTE
from refine_core.errors import InputError
from weather.fields.arrays import Array, Leads
from weather.plots.display import Display
from weather.plots.figure import Line, add_legend, save_with_heading
from weather.plots.forecast_field import ForecastField
from weather.plots.map.colour_scale import round_levels
from weather.plots.map.map_figure import LineStyle, MapAxis, MapFigure
from weather.plots.map.projections import View, visible
from weather.plots.map.wrapped_grid import WrappedGrid

MOST_STAMPS = 50
COLOURS = PALETTE[:4]
"""Colours of the values of a spaghetti plot, in turn."""
STAMP_CONTOURS = LineStyle(width=0.3)
TRUTH = LineStyle(width=1.5, order=5, dashes="--")


def plot_stamps(field: ForecastField, lead: np.timedelta64, view: View, path: Path) -> None:
    """The mean, the truth if it is known, and every member, at one lead time."""
    (members,) = field.members(np.array([lead]))
    count = min(len(members), MOST_STAMPS)
    truth = field.truth_at(lead)
    stamps: dict[str, Array] = {"ensemble mean": members.mean(0)}
    stamps |= {} if truth is None else {"truth": truth}
    first = len(stamps)
    stamps |= {f"member {n}": m for n, m in zip(field.member_names[:count], members, strict=False)}
    columns = max(2, round(np.sqrt(len(stamps) * view.ratio * 2.4)))
    maps = MapFigure(len(stamps), columns, view, 1.75, gap=(0.1, 0.24))
    wrapped = WrappedGrid(field.grid, view.centre)
    inside = (..., *visible(view, field.grid))
    scale = field.display.scale(np.stack(list(stamps.values()))[inside])
    for index, (name, values) in enumerate(stamps.items()):
        map_axis = MapAxis(maps.axes[index], view, wrapped, labels=False, coast=0.3)
        contours = map_axis.shade(values, scale)
        map_axis.contour(values, scale.levels[::2], STAMP_CONTOURS)
        map_axis.title(name, size=7.5, pad=2, bold=index < first)
    maps.colour_bar(range(columns), contours, f"{field.display.name} ({field.display.unit})")
    some = "members" if count == len(members) else f"the first {count} members"
    about = f"{field.lead_title(lead)}; {field.description}"
    save_with_heading(maps.figure, path, f"{field.display.heading}: {some}", about)


def plot_spaghetti(
    field: ForecastField, leads: Leads, view: View, levels: Sequence[float], path: Path
) -> None:
    """Contours of the same values in every member, a map a lead time.

    Args:
        field: What to plot.
        leads: Lead times.
        view: Part of the globe.
        levels: Values in the units shown; by default two that cross the view.
        path: Path of the picture.

    Raises:
        InputError: No member reaches a value.
    """
    columns = min(len(leads), 2 if len(leads) in (2, 4) or view.ratio < 0.8 else 3)
    maps = MapFigure(len(leads), columns, view, 3.9, gap=(0.55, 0.6), bottom=0.8)
    wrapped = WrappedGrid(field.grid, view.centre)
    low, high = np.inf, -np.inf
    for axis, lead, members in zip(maps.axes, leads, field.members(leads), strict=True):
        levels = levels or default_levels(field, members.mean(0), view)
        low, high = min(low, float(np.nanmin(members))), max(high, float(np.nanmax(members)))
        map_axis = MapAxis(axis, view, wrapped)
        map_axis.title(field.lead_title(lead))
        _plot_strands(map_axis, members, field.truth_at(lead), levels)
    _check_reached(levels, low, high, field.display)
    _explain(maps, levels, field)
    values = ", ".join(f"{value:g}" for value in levels)
    heading = f"{field.display.heading}: {values} {field.display.unit} in every member"
    save_with_heading(maps.figure, path, heading, field.description)


def _plot_strands(
    map_axis: MapAxis, members: Array, truth: Array | None, levels: Sequence[float]
) -> None:
    """Plot the contours of members (M, H, W), of their mean and of the truth."""
    mean = members.mean(0)
    for value, colour in zip(levels, COLOURS, strict=False):
        level = np.array([value])
        for member in members:
            map_axis.contour(member, level, LineStyle(colour, 0.45, order=3.5, alpha=0.75))
        # White below the mean sets it apart from the members.
        map_axis.contour(mean, level, LineStyle("white", 4.0, order=4.4))
        map_axis.contour(mean, level, LineStyle(colour, 2.2, order=4.5))
        if truth is not None:
            map_axis.contour(truth, level, TRUTH)


def default_levels(field: ForecastField, mean: Array, view: View) -> list[float]:
    """Two round values that exceed the mean on about 30 % and 70 % of the view's area."""
    inside = visible(view, field.grid)
    area = np.broadcast_to(field.grid.area()[:, None], mean.shape)[inside].ravel()
    values = mean[inside].ravel()
    known = np.isfinite(values)
    order = np.argsort(values[known])
    below = np.cumsum(area[known][order]) / area[known].sum()
    found = [float(values[known][order][np.searchsorted(below, share)]) for share in (0.3, 0.7)]
    low, high = float(values[known].min()), float(values[known].max())
    levels = round_levels(low, high, steps=field.display.steps)
    nearest = {float(levels[np.abs(levels - value).argmin()]) for value in found}
    return sorted(nearest)


def check_level_count(levels: Sequence[float]) -> None:
    """Check that there are not more values than colours.

    Raises:
        InputError: There are.
    """
    if len(levels) > len(COLOURS):
        raise InputError(
            f"Found {len(levels)} --contours, expected at most {len(COLOURS)}: leave some out."
        )


def _check_reached(levels: Sequence[float], low: float, high: float, display: Display) -> None:
    for value in levels:
        if not low <= value <= high:
            raise InputError(
                f"Found --contours {value:g}, but {display.name} goes from {low:.4g} to "
                f"{high:.4g} {display.unit} in the members: choose values between."
            )


def _explain(maps: MapFigure, levels: Sequence[float], field: ForecastField) -> None:
    """Add a legend of the values."""
    unit = field.display.unit
    lines = {}
    for value, colour in zip(levels, COLOURS, strict=False):
        lines[f"{value:g} {unit}, members"] = Line(colour, 0.8)
        lines[f"{value:g} {unit}, ensemble mean"] = Line(colour, 2.2)
    if field.truth is not None:
        lines["truth"] = Line("black", 1.5, "--")
    add_legend(maps.figure, lines, len(levels) + (field.truth is not None))
