"""All members in one picture: as small maps, or as lines of one value."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from refine_core.errors import InputError
from weather.fields.arrays import Array, Leads
from weather.plots.display import Display, steps, value_scale
from weather.plots.field import Field
from weather.plots.figure import save
from weather.plots.map.projections import View, seen
from weather.plots.map.sheet import MapAxis, Sheet
from weather.plots.map.wrapped_grid import Surface
from weather.plots.maps import LINES

MOST = 50
"""Members that get a stamp."""
COLOURS = ("#1261a0", "#c7620a", "#1b8a6b", "#a5479a")
"""Of the values of a spaghetti plot, in turn."""
TRUTH: dict[str, Any] = {"colors": "black", "linewidths": 1.5, "linestyles": "--", "zorder": 5}


def draw_stamps(field: Field, lead: np.timedelta64, view: View, path: Path) -> None:
    """The mean, the truth if it is known, and every member, at one lead time."""
    (members,) = field.members(np.array([lead]))
    count = min(len(members), MOST)
    truth = field.verifying(lead)
    pictures: dict[str, Array] = {"ensemble mean": members.mean(0)}
    pictures |= {} if truth is None else {"truth": truth}
    first = len(pictures)
    pictures |= {f"member {n}": m for n, m in zip(field.numbers[:count], members, strict=False)}
    columns = max(2, round(np.sqrt(len(pictures) * view.ratio * 2.4)))
    sheet = Sheet(len(pictures), columns, view, 1.75, gap=(0.1, 0.24))
    surface = Surface(field.grid, view.centre)
    shown = (..., *seen(view, field.grid))
    scale = value_scale(field.display, np.stack(list(pictures.values()))[shown])
    for place, (name, values) in enumerate(pictures.items()):
        at = MapAxis(sheet.axes[place], view, surface, labels=False, coast=0.3)
        drawn = at.shade(values, scale)
        at.lines(values, scale.levels[::2], **(LINES | {"linewidths": 0.3}))
        weight = "bold" if place < first else "normal"
        at.title(name, fontsize=7.5, pad=2, fontweight=weight)
    sheet.bar(range(columns), drawn, f"{field.display.name} ({field.display.unit})")
    some = "members" if count == len(members) else f"the first {count} members"
    about = f"{field.valid(lead)}; {field.about}"
    save(sheet.figure, path, f"{field.display.heading}: {some}", about)


def draw_spaghetti(
    field: Field, leads: Leads, view: View, contours: Sequence[float], path: Path
) -> None:
    """Lines of one or two values in every member, a map a lead time.

    Args:
        field: What to draw.
        leads: Lead times.
        view: Part of the globe.
        contours: Values in the units shown; none stands for two that cross the view.
        path: Of the picture.

    Raises:
        InputError: No member reaches a value.
    """
    columns = min(len(leads), 2 if len(leads) in (2, 4) or view.ratio < 0.8 else 3)
    sheet = Sheet(len(leads), columns, view, 3.9, gap=(0.55, 0.6), bottom=0.8)
    surface = Surface(field.grid, view.centre)
    low, high = np.inf, -np.inf
    for place, (lead, members) in enumerate(zip(leads, field.members(leads), strict=True)):
        contours = contours or usual_contours(field, members.mean(0), view)
        low, high = min(low, float(np.nanmin(members))), max(high, float(np.nanmax(members)))
        at = MapAxis(sheet.axes[place], view, surface)
        at.title(field.valid(lead))
        truth = field.verifying(lead)
        for value, colour in zip(contours, COLOURS, strict=False):
            level = np.array([value])
            for member in members:
                at.lines(member, level, colors=colour, linewidths=0.45, alpha=0.75, zorder=3.5)
            mean = members.mean(0)
            at.lines(mean, level, colors="white", linewidths=4.0, zorder=4.4)  # apart from members
            at.lines(mean, level, colors=colour, linewidths=2.2, zorder=4.5)
            if truth is not None:
                at.lines(truth, level, **TRUTH)
    _check_reached(contours, low, high, field.display)
    _legend(sheet, contours, field, known=field.truth is not None)
    values = ", ".join(f"{value:g}" for value in contours)
    heading = f"{field.display.heading}: {values} {field.display.unit} in every member"
    save(sheet.figure, path, heading, field.about)


def usual_contours(field: Field, mean: Array, view: View) -> list[float]:
    """Two round values that three and seven tenths of the view's area lie below."""
    shown = seen(view, field.grid)
    area = np.broadcast_to(field.grid.area()[:, None], mean.shape)[shown].ravel()
    values = mean[shown].ravel()
    known = np.isfinite(values)
    order = np.argsort(values[known])
    below = np.cumsum(area[known][order]) / area[known].sum()
    found = [float(values[known][order][np.searchsorted(below, share)]) for share in (0.3, 0.7)]
    low, high = float(values[known].min()), float(values[known].max())
    levels = steps(low, high, digits=field.display.digits)
    nearest = {float(levels[np.abs(levels - value).argmin()]) for value in found}
    return sorted(nearest)


def check_contours(contours: Sequence[float]) -> None:
    """Check that there are not more values than can be told apart.

    Raises:
        InputError: There are.
    """
    if len(contours) > len(COLOURS):
        raise InputError(
            f"Found {len(contours)} --contours, expected at most {len(COLOURS)}: leave some out."
        )


def _check_reached(contours: Sequence[float], low: float, high: float, display: Display) -> None:
    for value in contours:
        if not low <= value <= high:
            raise InputError(
                f"Found --contours {value:g}, but {display.name} goes from {low:.4g} to "
                f"{high:.4g} {display.unit} in the members: choose values between."
            )


def _legend(sheet: Sheet, contours: Sequence[float], field: Field, *, known: bool) -> None:
    unit = field.display.unit
    marks = {}
    for value, colour in zip(contours, COLOURS, strict=False):
        marks[f"{value:g} {unit}, members"] = Line2D([], [], color=colour, lw=0.8)
        marks[f"{value:g} {unit}, ensemble mean"] = Line2D([], [], color=colour, lw=2.2)
    if known:
        marks["truth"] = Line2D([], [], color="black", lw=1.5, ls="--")
    sheet.figure.legend(
        list(marks.values()),
        list(marks),
        loc="lower center",
        ncols=len(contours) + known,
        fontsize=8.5,
    )
