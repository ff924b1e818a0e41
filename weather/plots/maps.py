"""Maps of the ensemble mean and the spread, one below the other or moving."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from refine_core.storage.files import atomic_write
from weather.fields.arrays import Array, Leads
from weather.plots.display import Display, Scale, error_scale, spread_scale, value_scale
from weather.plots.field import Field
from weather.plots.figure import head, save
from weather.plots.map.projections import View, seen
from weather.plots.map.sheet import MapAxis, Sheet
from weather.plots.map.wrapped_grid import Surface

LINES: dict[str, Any] = {"colors": "black", "linewidths": 0.75, "zorder": 3}
FRAME, LAST = 450, 1500
"""Milliseconds that a picture of an animation stays, and the last one."""


def draw_maps(field: Field, leads: Leads, view: View, path: Path) -> None:
    """Mean, spread, and the error of the mean where the truth is known; a row a lead time."""
    means, spreads = field.moments(leads)
    truths = [field.verifying(lead) for lead in leads]
    known = any(truth is not None for truth in truths)
    columns = 3 if known else 2
    sheet = Sheet(len(leads) * columns, columns, view, 3.6 if known else 4.4)
    surface, shown = Surface(field.grid, view.centre), (..., *seen(view, field.grid))
    colours = value_scale(field.display, means[shown])
    shades = spread_scale(spreads[shown], colours)
    contours = contour_levels(field.display, colours, view)
    for row, lead in enumerate(leads):
        axes = sheet.axes[row * columns :]
        left, right = (MapAxis(axes[i], view, surface, labels=not i) for i in (0, 1))
        left.title(field.valid(lead))
        value = left.shade(means[row], colours)
        left.lines(means[row], contours, named=True, **LINES)
        spread = right.shade(spreads[row], shades)
        right.lines(means[row], contours, **LINES)
    unit, change = field.display.unit, field.display.unit_difference
    sheet.bar([0], value, f"ensemble mean ({unit})")
    sheet.bar([1], spread, f"spread: standard deviation of members ({change}); lines: mean")
    if known:
        over = (contours, colours)
        error = _errors(sheet.axes[2::3], means, truths, view, surface, *over)
        sheet.bar([2], error, f"error: mean − truth ({change}); lines: truth")
    ending = ", spread and error" if known else " and spread"
    save(sheet.figure, path, f"{field.display.heading}: ensemble mean{ending}", field.about)


def _errors(
    axes: list[Any],
    means: Array,
    truths: list[Array | None],
    view: View,
    surface: Surface,
    contours: Array,
    colours: Scale,
) -> Any:
    """Draw the errors of the mean; returns what a colour bar explains."""
    pairs = list(zip(axes, means, truths, strict=True))
    shown = seen(view, surface.grid)
    scale = error_scale(np.stack([(m - t)[shown] for _, m, t in pairs if t is not None]), colours)
    for axis, mean, truth in pairs:
        at = MapAxis(axis, view, surface, labels=False)
        if truth is None:
            at.title("no truth at this time")
            continue
        drawn = at.shade(mean - truth, scale)
        at.lines(truth, contours, **LINES)
    return drawn


def draw_animation(field: Field, leads: Leads, view: View, path: Path) -> None:
    """Spread as colour and mean as lines, a picture a lead time, as GIF."""
    first, *others = frames(field, leads, view)
    times = [FRAME] * len(others) + [LAST]
    with atomic_write(path) as temporary:
        first.save(temporary, "GIF", save_all=True, append_images=others, duration=times, loop=0)


def frames(field: Field, leads: Leads, view: View) -> Iterator[Image.Image]:
    """Pictures of an animation, with the same colours for the same values."""
    means, spreads = field.moments(leads)
    surface, shown = Surface(field.grid, view.centre), (..., *seen(view, field.grid))
    colours = value_scale(field.display, means[shown])
    contours = contour_levels(field.display, colours, view)
    shades = spread_scale(spreads[shown], colours)
    unit, change = field.display.unit, field.display.unit_difference
    for lead, mean, spread in zip(leads, means, spreads, strict=True):
        sheet = Sheet(1, 1, view, 7.2 if view.ratio < 0.8 else 5.5)
        at = MapAxis(sheet.axes[0], view, surface)
        drawn = at.shade(spread, shades)
        at.lines(mean, contours, named=True, **LINES)
        at.title(field.valid(lead), fontsize=10)
        sheet.bar([0], drawn, f"spread ({change}); lines: ensemble mean ({unit})")
        head(sheet.figure, f"{field.display.heading}: ensemble mean and spread", field.about)
        sheet.figure.set_dpi(100)
        canvas: Any = FigureCanvasAgg(sheet.figure)
        canvas.draw()
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        yield picture.quantize(128, dither=Image.Dither.NONE)


def contour_levels(display: Display, scale: Scale, view: View) -> Array:
    """Values of contours: fewer than colours where the map would be crowded."""
    south, north = view.latitudes
    step = 4 if display.rough else 2 if north - south > 100 else 1
    places = np.round(scale.levels / np.diff(scale.levels)[0])
    return np.asarray(scale.levels[(places % step == 0) & ~(display.rough & (places == 0))])
