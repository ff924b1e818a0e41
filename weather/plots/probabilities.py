"""Probabilities of events: the share of members above or below a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refine_core.errors import InputError
from weather.fields.arrays import Array, Leads
from weather.fields.labels import format_number
from weather.plots.figure import save_with_heading
from weather.plots.forecast_field import ForecastField
from weather.plots.map.area import Area
from weather.plots.map.colour_scale import probability_scale, round_levels
from weather.plots.map.map_figure import HEADED, LineStyle, MapAxis, MapFigure
from weather.plots.map.projections import View
from weather.plots.map.wrapped_grid import WrappedGrid

ABOVE_COLOURS, BELOW_COLOURS = "YlOrRd", "YlGnBu"
QUANTILES = (0.1, 0.9)
"""Quantiles of climatology below and above which values are events, if there is a climatology."""
OUTLINE = LineStyle("black", 1.5, order=3.5, dashes="-")


@dataclass(frozen=True)
class Event:
    """Values above or below a threshold.

    Args:
        above: Whether those above it count.
        value: The threshold in the units of the picture; None for a quantile of climatology.
    """

    above: bool
    value: float | None = None

    def title(self, unit: str) -> str:
        """What happens, in words.

        >>> Event(True, 25.0).title("m s⁻¹"), Event(False).title("K")
        ('above 25 m s⁻¹', 'below the 10 % quantile of climatology')
        """
        side = "above" if self.above else "below"
        if self.value is None:
            return f"{side} the {100 * QUANTILES[self.above]:g} % quantile of climatology"
        return f"{side} {format_number(self.value)} {unit}"

    def limit(self, field: ForecastField, lead: np.timedelta64) -> Array:
        """The threshold, () or (H, W), at a lead time."""
        if self.value is None and field.climatology is not None:
            level = (QUANTILES[self.above],)
            return np.asarray(field.climatology.quantiles(field.start + lead, level)[0])
        return np.asarray(self.value, np.float32)

    def probability(self, members: Array, limit: Array, field: ForecastField) -> Array:
        """Share (H, W) of members (M, H, W) in which it happens, in percent.

        Members are rounded as the truth is, as in verification, or half a quantum would count. It
        is NaN where the threshold of an amount is a quantile that rounds to zero, as of rain in
        deserts: there any drop would be extreme.
        """
        display, quantum = field.display, field.quantum
        known = np.isfinite(members).all(0)
        members = display.rounded(members, quantum)
        happens = members > limit if self.above else members < limit
        share = np.asarray(100 * happens.mean(0, dtype=np.float32))
        if self.value is None and display.is_amount:
            known &= display.rounded(limit, quantum) > 0
        return np.where(known, share, np.float32(np.nan))


def plot_probabilities(
    field: ForecastField, leads: Leads, view: View, events: Sequence[Event], path: Path
) -> None:
    """Share of members in which events happen, outlined where they did; a row a lead time.

    Args:
        field: A forecast of several members.
        leads: Lead times.
        view: Part of the globe.
        events: Columns of the figure; by default the extremes of climatology, or round values.
        path: Path of the picture.

    Raises:
        InputError: An event happens in all members everywhere, or in none anywhere.
    """
    asked, events = events, events or default_events(field, leads[-1], view)
    count, columns = len(events), len(events) if len(events) > 1 else min(2, len(leads))
    width = 3.2 if view.ratio >= 0.8 else 3.7 if columns > 2 else 5.0
    gap = (0.4 + view.margin, 0.36 + view.margin)
    top = HEADED + view.margin / 2
    maps = MapFigure(len(leads) * count, columns, view, width, gap, bottom=0.75, top=top)
    wrapped = WrappedGrid(field.grid, view.centre)
    ranges, masked = {event: (np.inf, -np.inf) for event in events}, False
    for row, (lead, members) in enumerate(zip(leads, field.members(leads), strict=True)):
        for place, event in enumerate(events):
            map_axis = MapAxis(
                maps.axes[row * count + place], view, wrapped, labels=not place, coast=0.4
            )
            map_axis.title("" if place else field.lead_title(lead))
            limit = event.limit(field, lead)
            share = event.probability(members, limit, field)
            low, high = ranges[event]
            ranges[event] = np.fmin(low, share).min(), np.fmax(high, share).max()
            scale = probability_scale(ABOVE_COLOURS if event.above else BELOW_COLOURS)
            contours = map_axis.shade(share, scale)
            map_axis.blank(np.isnan(share))
            masked |= bool(np.isnan(share).any())
            if (truth := field.truth_at(lead)) is not None:
                map_axis.contour(truth - limit + 0 * share, np.zeros(1), OUTLINE)
            if not row:
                maps.heading(place, event.title(field.display.unit))
                maps.colour_bar([place], contours, "probability (%)")
    _check_possible({event: ranges[event] for event in asked}, field)
    about = "; black lines: where it happened" if field.truth is not None else ""
    about += "; grey: that quantile is zero, or a value is missing" if masked else ""
    heading = f"{field.display.heading}: probabilities"
    save_with_heading(maps.figure, path, heading, field.description + about)


def default_events(field: ForecastField, lead: np.timedelta64, view: View) -> list[Event]:
    """The extremes of climatology, or round values at a lead time; only high ones of amounts."""
    sides = (True,) if field.display.is_amount else (False, True)
    if field.climatology is not None:
        return [Event(side) for side in sides]
    mean, area = field.mean_and_spread(np.array([lead]))[0][0], Area(field.grid, view)
    low, high = float(np.nanmin(mean)), float(np.nanmax(mean))
    levels = round_levels(low, high, steps=field.display.steps)
    inner = (levels > low) & (levels < high)
    levels = levels[inner] if inner.any() else levels
    below = np.array([area.mean(np.where(mean < level, 1.0, 0.0)) for level in levels])
    chosen = [(side, levels[np.abs(below - QUANTILES[side]).argmin()]) for side in sides]
    return [Event(side, float(level)) for side, level in chosen]


def _check_possible(ranges: Mapping[Event, tuple[float, float]], field: ForecastField) -> None:
    for event, (low, high) in ranges.items():
        if low == high:
            raise InputError(
                f"Found {field.display.name} {event.title(field.display.unit)} in "
                f"{'all members' if low else 'no member'} everywhere: choose another value with "
                f"--{'above' if event.above else 'below'}."
            )
