"""The wind: its mean speed as colours and its mean as barbs, its spread, and the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weather.fields.arrays import Array, Leads
from weather.fields.channel import Channel
from weather.plots.columns import Column, Panel, plot_columns
from weather.plots.display import AMOUNT_COLOURS
from weather.plots.figure import save_with_heading
from weather.plots.forecast_field import ForecastField
from weather.plots.map.area import Area
from weather.plots.map.colour_scale import spread_scale, value_scale
from weather.plots.map.projections import View

USUAL_LEVELS = (None, 850)
"""The level of the wind that is plotted if no variable is named: at 10 m, else at 850 hPa."""


@dataclass(frozen=True)
class WindFields:
    """A wind of a forecast.

    Args:
        u: The eastward component.
        v: The northward component.
    """

    u: ForecastField
    v: ForecastField

    def means(self, leads: Leads) -> tuple[Array, Array, Array]:
        """Mean wind (T, 2, H, W), mean speed and spread (T, H, W each).

        The spread is the root of the mean squared distance of members from the mean wind.
        """
        winds, speeds, spreads = [], [], []
        for members in zip(self.u.members(leads), self.v.members(leads), strict=True):
            wind = np.stack(members, 1)
            winds.append(wind.mean(0))
            speeds.append(np.hypot(*members).mean(0))
            squares = ((wind - winds[-1]) ** 2).sum((0, 1))
            spreads.append(np.sqrt(squares / max(1, len(wind) - 1)))
        return np.stack(winds), np.stack(speeds), np.stack(spreads)

    def truth_at(self, lead: np.timedelta64) -> Array | None:
        """The true wind (2, H, W); None if it is not known."""
        u, v = self.u.truth_at(lead), self.v.truth_at(lead)
        return None if u is None or v is None else np.stack([u, v])


def plot_wind(fields: WindFields, leads: Leads, view: View, path: Path) -> None:
    """Mean, spread, and the truth if it is known; a row a lead time."""
    u = fields.u
    winds, speeds, spreads = fields.means(leads)
    truths = [fields.truth_at(lead) for lead in leads]
    area, unit = Area(u.grid, view), u.display.unit
    known = [np.hypot(*truth) for truth in truths if truth is not None]
    scale = value_scale(area.inside(np.stack([*speeds, *known])), AMOUNT_COLOURS)
    titles = [u.lead_title(lead) for lead in leads]
    panels = [Panel(t, s, scale, wind=w) for t, s, w in zip(titles, speeds, winds, strict=True)]
    mean = "forecast" if u.is_single else "mean speed of members"
    columns = [Column(f"{mean} ({unit}){'' if u.is_single else ', barbs: mean wind'}", panels)]
    if not u.is_single:
        panels = [
            Panel(f"{area.mean(s):.2g} {unit} on average", s, spread_scale(area.inside(s), scale))
            for s in spreads
        ]
        columns.append(Column(f"spread: rms distance from the mean wind ({unit})", panels))
    if known:
        panels = [
            Panel("no truth at this time") if t is None else Panel("", np.hypot(*t), scale, wind=t)
            for t in truths
        ]
        columns.append(Column(f"truth: speed ({unit}) and barbs", panels))
    maps = plot_columns(columns, view, u.grid, np.array([]))
    name = u.display.name.replace("u component of wind", "wind")
    about = f"{u.description}; barbs in knots: short line 5, long line 10, triangle 50"
    save_with_heading(maps.figure, path, name[0].upper() + name[1:], about)


def wind_pairs(channels: Sequence[Channel]) -> list[tuple[Channel, Channel]]:
    """The channels of both components of every wind among some channels.

    >>> u, v = (Channel(f"10m_{x}_component_of_wind") for x in "uv")
    >>> wind_pairs([v, u, Channel("u_component_of_wind", 850)]) == [(u, v)]
    True
    """
    pairs = []
    for u in channels:
        v = Channel(u.variable.replace("u_component", "v_component"), u.level)
        if v != u and v in channels:
            pairs.append((u, v))
    return pairs


def usual_wind(pairs: Sequence[tuple[Channel, Channel]]) -> list[tuple[Channel, Channel]]:
    """The wind that is plotted if no variable is named."""
    usual = [pair for level in USUAL_LEVELS for pair in pairs if pair[0].level == level]
    return (usual or list(pairs))[:1]
