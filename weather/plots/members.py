"""All members in one picture: as stamps (small maps), or as spaghetti (lines of one value)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refine_core.app.figures import PALETTE
from refine_core.errors import InputError
from weather.fields.arrays import Array, Leads
from weather.fields.labels import format_number
from weather.plots.display import Display
from weather.plots.figure import DOTTED, Dashes, Line, add_legend, save_with_heading
from weather.plots.forecast_field import ForecastField
from weather.plots.map.area import Area
from weather.plots.map.colour_scale import (
    ANOMALY_COLOURS,
    MOST_COLOURS,
    difference_scale,
    round_levels,
)
from weather.plots.map.map_figure import LineStyle, MapAxis, MapFigure
from weather.plots.map.projections import View
from weather.plots.map.wrapped_grid import WrappedGrid

MOST_STAMPS = 50
COLOURS = PALETTE[:4]
"""Colours of the values of a spaghetti plot, in turn."""
DASHES: tuple[Dashes, ...] = ("-", (0, (5, 1.5)), DOTTED, (0, (6, 1.5, 1, 1.5)))
"""Dashes of the truth, of each value in turn."""
STAMP_CONTOURS = LineStyle(width=0.4)
MOST_UNCERTAIN = 0.2
"""Share of a view in which members may disagree, whether they are below a value, at most."""


def plot_stamps(field: ForecastField, lead: np.timedelta64, view: View, path: Path) -> None:
    """The mean, the truth if it is known, and every member, at one lead time.

    With a climatology colours show the anomaly, and lines the values; of amounts such as rain
    colours show the values all the same, as most of their anomalies are that it is dry.
    """
    (members,) = field.members(np.array([lead]))
    truth, count = field.truth_at(lead), min(len(members), MOST_STAMPS)
    stamps: dict[str, Array] = {field.mean_name: members.mean(0)}
    stamps |= {} if truth is None else {"truth": truth}
    first = len(stamps)
    if not field.is_single:
        names = field.member_names[:count]
        stamps |= {f"member {n}": m for n, m in zip(names, members, strict=False)}
    maps, columns = _stamp_figure(len(stamps), view)
    wrapped, area = WrappedGrid(field.grid, view.centre), Area(field.grid, view)
    values = np.stack(list(stamps.values()))
    scale, shaded = field.display.scale(area.inside(values)), values
    levels, label = scale.levels[::2], f"{field.display.name} ({field.display.unit})"
    if field.climatology is not None and not field.display.is_amount:
        shaded = values - field.climatology.mean(field.start + lead)
        scale = difference_scale(area.inside(shaded), scale, ANOMALY_COLOURS)
        lines = "" if field.display.noisy else f"; lines: {label}"
        label = f"colours: anomaly ({field.display.unit_difference}){lines}"
    for index, name in enumerate(stamps):
        map_axis = MapAxis(maps.axes[index], view, wrapped, labels=False, coast=0.4)
        contours = map_axis.shade(shaded[index], scale)
        if not field.display.noisy:
            map_axis.contour(values[index], levels, STAMP_CONTOURS)
        map_axis.title(name, size=9, pad=2, bold=index < first)
    maps.colour_bar(range(columns), contours, label, most=6.0)
    some = "members" if count == len(members) else f"the first {count} members"
    about = f"{field.lead_title(lead)}; {field.description}"
    heading = field.display.heading + ("" if field.is_single else f": {some}")
    save_with_heading(maps.figure, path, heading, about)


def _stamp_figure(count: int, view: View) -> tuple[MapFigure, int]:
    """A figure of `count` maps, about one and a half times as wide as tall; its columns."""
    width = float(np.clip(2.6 / np.sqrt(view.ratio), 2.2, 3.4)) if view.ratio < 0.8 else 2.3
    columns = max(2, round(np.sqrt(1.7 * count * view.ratio)))
    columns = min(columns, count, round(17 / width))
    return MapFigure(count, columns, view, width, gap=(0.1, 0.28)), columns


def plot_spaghetti(
    field: ForecastField, leads: Leads, view: View, levels: Sequence[float], path: Path
) -> None:
    """Contours of the same values in every member, a map a lead time.

    Args:
        field: What to plot.
        leads: Lead times.
        view: Part of the globe.
        levels: Values in the units shown; by default two that suit the field.
        path: Path of the picture.

    Raises:
        InputError: No member reaches a value.
    """
    levels = levels or default_levels(field, leads[-1], view)
    columns = min(len(leads), 2 if len(leads) in (2, 4) or view.ratio < 0.8 else 3)
    size = 6.0 if view.ratio < 0.8 else 4.4
    maps = MapFigure(len(leads), columns, view, size, gap=(0.55, 0.6), bottom=0.95)
    wrapped = WrappedGrid(field.grid, view.centre)
    low, high = np.inf, -np.inf
    for axis, lead, members in zip(maps.axes, leads, field.members(leads), strict=True):
        low, high = min(low, float(np.nanmin(members))), max(high, float(np.nanmax(members)))
        map_axis = MapAxis(axis, view, wrapped)
        map_axis.title(field.lead_title(lead))
        _plot_strands(map_axis, members, field.truth_at(lead), levels)
    _check_reached(levels, low, high, field.display)
    _explain(maps, levels, field)
    values = ", ".join(format_number(value) for value in levels)
    where = "the forecast" if field.is_single else "every member"
    heading = f"{field.display.heading}: {values} {field.display.unit} in {where}"
    save_with_heading(maps.figure, path, heading, field.description)


def _plot_strands(
    map_axis: MapAxis, members: Array, truth: Array | None, levels: Sequence[float]
) -> None:
    """Plot the contours of members (M, H, W), of their mean and of the truth."""
    mean = members.mean(0)
    for value, colour, dashes in zip(levels, COLOURS, DASHES, strict=False):
        level = np.array([value])
        for member in members:
            map_axis.contour(member, level, LineStyle(colour, 0.5, order=3.5, alpha=0.6))
        # White below the mean and the truth sets them apart from the members.
        map_axis.contour(mean, level, LineStyle("white", 4.0, order=4.4))
        map_axis.contour(
            mean, level, LineStyle(colour, 2.2, order=4.5), 0 if truth is not None else 8
        )
        if truth is not None:
            map_axis.contour(truth, level, LineStyle("white", 2.6, order=4.9, alpha=0.8))
            map_axis.contour(truth, level, LineStyle(order=5, width=1.4, dashes=dashes), 8)


def default_levels(field: ForecastField, lead: np.timedelta64, view: View) -> list[float]:
    """Two round values whose lines can be told apart at a lead time.

    They are those nearest to `Display.typical_shares` of the view's area, among the values on
    which members disagree in `MOST_UNCERTAIN` of it at most, or as little as possible.
    """
    (members,) = field.members(np.array([lead]))
    area = Area(field.grid, view)
    mean, inside = members.mean(0), area.inside(members)
    low, high = np.nanpercentile(inside, [0.5, 99.5])
    most = 2 * MOST_COLOURS if field.display.noisy else MOST_COLOURS
    levels = round_levels(float(low), float(high), most, field.display.steps)
    below = np.array([area.mean(np.where(mean < level, 1.0, 0.0)) for level in levels])
    shares = [(members < level).mean(0) for level in levels]
    disagree = np.array([area.mean(np.where((s > 0.1) & (s < 0.9), 1.0, 0.0)) for s in shares])
    excess = np.maximum(disagree - MOST_UNCERTAIN, 0) + 9.0 * ((below < 0.02) | (below > 0.98))
    found = set()
    for share in field.display.typical_shares:
        side = 9.0 * ((below > 0.5) != (share > 0.5))
        found.add(float(levels[np.lexsort([np.abs(below - share), excess + side])[0]]))
    return sorted(found)


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
    """Add a legend of the values, a column each."""
    lines = {}
    for value, colour, dashes in zip(levels, COLOURS, DASHES, strict=False):
        name = f"{format_number(value)} {field.display.unit}"
        if not field.is_single:
            lines[f"{name}, members"] = Line(colour, 0.8)
        lines[f"{name}, {field.mean_name}"] = Line(colour, 2.2)
        if field.truth is not None:
            lines[f"{name}, truth"] = Line("black", 1.4, dashes)
    add_legend(maps.figure, lines, len(levels))
