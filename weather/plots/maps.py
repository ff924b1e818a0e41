"""Maps of the ensemble mean and the spread, side by side or as an animation."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from PIL import Image

from refine_core.storage.files import atomic_write
from weather.fields.arrays import Array, Leads
from weather.plots.display import Display
from weather.plots.figure import add_heading, save_with_heading
from weather.plots.forecast_field import ForecastField
from weather.plots.map.colour_scale import ColourScale, error_scale, spread_scale
from weather.plots.map.map_figure import MapAxis, MapFigure
from weather.plots.map.projections import View, visible
from weather.plots.map.wrapped_grid import WrappedGrid

FRAME, LAST_FRAME = 450, 1500
"""Milliseconds that each frame of an animation lasts, and that the last one lasts."""


def plot_maps(field: ForecastField, leads: Leads, view: View, path: Path) -> None:
    """Mean, spread, and the error of the mean where the truth is known; a row a lead time."""
    means, spreads = field.mean_and_spread(leads)
    truths = [field.truth_at(lead) for lead in leads]
    known = any(truth is not None for truth in truths)
    columns = 3 if known else 2
    maps = MapFigure(len(leads) * columns, columns, view, 3.6 if known else 4.4)
    wrapped, inside = WrappedGrid(field.grid, view.centre), (..., *visible(view, field.grid))
    colours = field.display.scale(means[inside])
    spread_colours = spread_scale(spreads[inside], colours)
    levels = contour_levels(field.display, colours, view)
    for row, lead in enumerate(leads):
        axes = maps.axes[row * columns :]
        left, right = (MapAxis(axes[i], view, wrapped, labels=not i) for i in (0, 1))
        left.title(field.lead_title(lead))
        mean = left.shade(means[row], colours)
        left.contour(means[row], levels, labels=True)
        spread = right.shade(spreads[row], spread_colours)
        right.contour(means[row], levels)
    unit, difference = field.display.unit, field.display.unit_difference
    maps.colour_bar([0], mean, f"ensemble mean ({unit})")
    label = f"spread: standard deviation of members ({difference}); lines: mean"
    maps.colour_bar([1], spread, label)
    if known:
        error = _plot_errors(maps.axes[2::3], means, truths, view, wrapped, levels, colours)
        maps.colour_bar([2], error, f"error: mean − truth ({difference}); lines: truth")
    ending = ", spread and error" if known else " and spread"
    heading = f"{field.display.heading}: ensemble mean{ending}"
    save_with_heading(maps.figure, path, heading, field.description)


def _plot_errors(
    axes: Sequence[Axes],
    means: Array,
    truths: Sequence[Array | None],
    view: View,
    wrapped: WrappedGrid,
    levels: Array,
    colours: ColourScale,
) -> QuadContourSet:
    """Plot the errors of the mean; returns what the colour bar is made of."""
    triples = list(zip(axes, means, truths, strict=True))
    inside = visible(view, wrapped.grid)
    errors = np.stack([(m - t)[inside] for _, m, t in triples if t is not None])
    scale = error_scale(errors, colours)
    for axis, mean, truth in triples:
        map_axis = MapAxis(axis, view, wrapped, labels=False)
        if truth is None:
            map_axis.title("no truth at this time")
            continue
        contours = map_axis.shade(mean - truth, scale)
        map_axis.contour(truth, levels)
    return contours


def plot_animation(field: ForecastField, leads: Leads, view: View, path: Path) -> None:
    """Spread as colour and mean as lines, a frame a lead time, as GIF."""
    first, *others = frames(field, leads, view)
    times = [FRAME] * len(others) + [LAST_FRAME]
    with atomic_write(path) as temporary:
        first.save(temporary, "GIF", save_all=True, append_images=others, duration=times, loop=0)


def frames(field: ForecastField, leads: Leads, view: View) -> Iterator[Image.Image]:
    """Frames of an animation, with the same colours for the same values."""
    means, spreads = field.mean_and_spread(leads)
    wrapped, inside = WrappedGrid(field.grid, view.centre), (..., *visible(view, field.grid))
    colours = field.display.scale(means[inside])
    levels = contour_levels(field.display, colours, view)
    spread_colours = spread_scale(spreads[inside], colours)
    unit, difference = field.display.unit, field.display.unit_difference
    for lead, mean, spread in zip(leads, means, spreads, strict=True):
        maps = MapFigure(1, 1, view, 7.2 if view.ratio < 0.8 else 5.5)
        map_axis = MapAxis(maps.axes[0], view, wrapped)
        contours = map_axis.shade(spread, spread_colours)
        map_axis.contour(mean, levels, labels=True)
        map_axis.title(field.lead_title(lead), size=10)
        label = f"spread ({difference}); lines: ensemble mean ({unit})"
        maps.colour_bar([0], contours, label)
        heading = f"{field.display.heading}: ensemble mean and spread"
        add_heading(maps.figure, heading, field.description)
        picture = io.BytesIO()
        maps.figure.savefig(picture, dpi=100, format="png")
        yield Image.open(picture).convert("RGB").quantize(128, dither=Image.Dither.NONE)


def contour_levels(display: Display, scale: ColourScale, view: View) -> Array:
    """Levels of contours: fewer than colours where the map would be crowded."""
    south, north = view.latitudes
    step = 4 if display.noisy else 2 if north - south > 100 else 1
    multiples = np.round(scale.levels / np.diff(scale.levels)[0])
    chosen = (multiples % step == 0) & ~(display.noisy & (multiples == 0))
    return np.asarray(scale.levels[chosen])
