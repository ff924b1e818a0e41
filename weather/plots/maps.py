"""Maps of the ensemble mean, the spread and the error, side by side or as an animation."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from refine_core.storage.files import atomic_write
from weather.fields.arrays import Array, Leads
from weather.plots.columns import Column, Panel, plot_columns
from weather.plots.display import Display
from weather.plots.figure import add_heading, save_with_heading
from weather.plots.forecast_field import ForecastField
from weather.plots.map.area import Area
from weather.plots.map.colour_scale import (
    ANOMALY_COLOURS,
    ColourScale,
    difference_scale,
    spread_scale,
)
from weather.plots.map.map_figure import MapAxis, MapFigure
from weather.plots.map.projections import View
from weather.plots.map.wrapped_grid import WrappedGrid

FRAME, LAST_FRAME = 450, 1500
"""Milliseconds that each frame of an animation lasts, and that the last one lasts."""


def plot_maps(field: ForecastField, leads: Leads, view: View, path: Path) -> None:
    """Mean, spread, and the error of the mean where the truth is known; a row a lead time.

    With a climatology the colours of the mean show its anomaly. Spread and error, which grow with
    lead time, have a scale of their own in each row.
    """
    means, spreads = field.mean_and_spread(leads)
    truths = [field.truth_at(lead) for lead in leads]
    area = Area(field.grid, view)
    colours = field.display.scale(area.inside(means))
    columns = {field.mean_name: mean_column(field, leads, means, colours, area)}
    if not field.is_single:
        columns["spread"] = _spread_column(field, means, spreads, colours, area)
    if any(truth is not None for truth in truths):
        columns["error"] = _error_column(field, means, truths, colours, area)
    levels = contour_levels(field.display, colours, view)
    maps = plot_columns(list(columns.values()), view, field.grid, levels)
    *first, last = columns
    what = f"{', '.join(first)} and {last}" if first else last
    heading = f"{field.display.heading}: {what}"
    save_with_heading(maps.figure, path, heading, field.description)


def mean_column(
    field: ForecastField, leads: Leads, means: Array, colours: ColourScale, area: Area
) -> Column:
    """The mean as lines and colours, which show its anomaly if there is a climatology."""
    heading, shaded = f"{field.mean_name} ({field.display.unit})", means
    if field.climatology is not None:
        shaded = means - np.stack([field.climatology.mean(field.start + lead) for lead in leads])
        colours = difference_scale(area.inside(shaded), colours, ANOMALY_COLOURS)
        heading += f", colours: anomaly ({field.display.unit_difference})"
    panels = [
        Panel(field.lead_title(lead), values, colours, mean)
        for lead, values, mean in zip(leads, shaded, means, strict=True)
    ]
    return Column(heading, panels)


def _spread_column(
    field: ForecastField, means: Array, spreads: Array, colours: ColourScale, area: Area
) -> Column:
    unit = field.display.unit_difference
    panels = [
        Panel(
            f"{area.mean(spread):.2g} {unit} on average",
            spread,
            spread_scale(area.inside(spread), colours),
            mean,
        )
        for mean, spread in zip(means, spreads, strict=True)
    ]
    return Column(f"spread: standard deviation ({unit})", panels)


def _error_column(
    field: ForecastField,
    means: Array,
    truths: Sequence[Array | None],
    colours: ColourScale,
    area: Area,
) -> Column:
    unit = field.display.unit_difference
    panels = []
    for mean, truth in zip(means, truths, strict=True):
        if truth is None:
            panels.append(Panel("no truth at this time"))
            continue
        error = mean - truth
        title = f"{np.sqrt(area.mean(error**2)):.2g} {unit} root mean square"
        scale = difference_scale(area.inside(error), colours)
        panels.append(Panel(title, error, scale, truth))
    return Column(f"error: {field.mean_name} − truth ({unit}), lines: truth", panels)


def plot_animation(field: ForecastField, leads: Leads, view: View, path: Path) -> None:
    """Spread (of one member, values) as colour, mean as lines; a frame a lead time, as GIF."""
    first, *others = frames(field, leads, view)
    times = [FRAME] * len(others) + [LAST_FRAME]
    with atomic_write(path) as temporary:
        first.save(temporary, "GIF", save_all=True, append_images=others, duration=times, loop=0)


def frames(field: ForecastField, leads: Leads, view: View) -> Iterator[Image.Image]:
    """Frames of an animation, with the same colours for the same values."""
    means, spreads = field.mean_and_spread(leads)
    wrapped, area = WrappedGrid(field.grid, view.centre), Area(field.grid, view)
    colours = field.display.scale(area.inside(means))
    levels = contour_levels(field.display, colours, view)
    unit, difference = field.display.unit, field.display.unit_difference
    if field.is_single:
        shaded, scale = means, colours
        label, heading = f"{field.display.name} ({unit})", field.display.heading
    else:
        shaded, scale = spreads, spread_scale(area.inside(spreads), colours)
        label = f"spread ({difference}); lines: ensemble mean ({unit})"
        heading = f"{field.display.heading}: ensemble mean and spread"
    for lead, mean, values in zip(leads, means, shaded, strict=True):
        maps = MapFigure(1, 1, view, 7.2 if view.ratio < 0.8 else 5.5)
        map_axis = MapAxis(maps.axes[0], view, wrapped)
        contours = map_axis.shade(values, scale)
        map_axis.contour(mean, levels, labels=7)
        map_axis.title(field.lead_title(lead), size=10)
        maps.colour_bar([0], contours, label)
        add_heading(maps.figure, heading, field.description)
        picture = io.BytesIO()
        maps.figure.savefig(picture, dpi=100, format="png")
        yield (
            Image.open(picture)
            .convert("RGB")
            .quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        )


def contour_levels(display: Display, scale: ColourScale, view: View) -> Array:
    """Levels of contours: fewer than colours where the map would be crowded."""
    south, north = view.latitudes
    step = 4 if display.noisy else 2 if north - south > 100 else 1
    multiples = np.round(scale.levels / np.diff(scale.levels).min())
    chosen = (multiples % step == 0) & ~(display.noisy & (multiples == 0))
    return np.asarray(scale.levels[chosen])
