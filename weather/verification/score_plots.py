"""Pictures of a verification: a panel a variable; lead time along the axis, or as colour."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from refine_core.app.figures import house_style
from weather.fields.arrays import Array
from weather.fields.labels import channel_title, leads_to_show, readable_unit
from weather.plots.figure import (
    Colour,
    Line,
    forecast_lines,
    is_leftmost,
    is_rightmost,
    label_line_ends,
    lead_colours,
    lead_legend,
    panel_under,
    panels,
    save_with_heading,
    wavenumber_axis,
)
from weather.verification.baselines import NAMES
from weather.verification.report import Curve, Estimate, VerificationReport
from weather.verification.report_tables import shown_channels

LEAST_SHARE = 0.002
"""Share of all grid cells that a point of a reliability diagram must stand for."""
UNDER = 1.0
"""Inches that the shares of cells take under a reliability diagram."""
CONTROLLED = {
    "crps_fair": "CRPS",
    "rmse": "RMSE of the ensemble mean",
    "variogram": "variogram score",
    "max_crps_4": "CRPS of maxima over 4 x 4 cells",
}
"""Scores in which forecasts are drawn against controls, and what they are called."""
REFERENCE = Line("black", 0.9, ":")
TRUTH = Line("black", 1.2, ":")
BESIDE = 0.16
"""Distance of the dots of two controls, as a share of that of two lead times."""
LEAD = 1.5
"""Width of the line of a lead time."""


def plot_scores(report: VerificationReport, out: Path) -> dict[str, str]:
    """Make every picture that the report has numbers for, of its first region.

    Args:
        report: What `verify` returned.
        out: Folder for the pictures.

    Returns:
        Captions by file name.
    """
    first, region = next(iter(report["scores"])), report["regions"][0]
    others = ", ".join(_controls(report, "crps_fair"))
    lower = "{}: lower is better" + (f" (differences of {others}: below)" if others else "")
    pictures: list[tuple[str, str, Callable[[], Figure]]] = [
        ("crps", f"Fair CRPS{lower}", lambda: curves(report, "crps_fair")),
        ("rmse", f"RMSE of the ensemble mean{lower}", lambda: curves(report, "rmse")),
        ("spectra", "Zonal power spectra of the members{}", lambda: spectra(report, ratio=False)),
        ("ratio", "Power of members over truth{}", lambda: spectra(report, ratio=True)),
    ]
    if report["members"][first] > 1:
        pictures += [
            ("spread", "Spread-skill ratio{}: 1 is right", lambda: curves(report, "spread_skill")),
            ("ranks", "Rank histograms{}: flat is right", lambda: rank_histograms(report)),
            (
                "differences",
                "Differences of members over their errors (roots of power){}: 1 is right",
                lambda: differences(report),
            ),
        ]
    if first in report.get("by_spread", {}):
        pictures.append(("flow", "Error by spread{}", lambda: errors_by_spread(report)))
    for name, title in CONTROLLED.items():
        caption = f"How much lower the {title} is than that of controls{{}}, in per cent"
        picture = (f"controls_{name}", caption, partial(control_differences, report, name))
        pictures += [picture] if _controls(report, name) else []
    if "0.9" in report.get("reliability", {}):
        pictures.append(
            (
                "reliability",
                "Reliability of extremes{}, and how often probabilities were given",
                lambda: reliability_diagrams(report),
            )
        )
    captions = {}
    with house_style():
        for name, template, make in pictures:
            caption = captions[f"{name}.png"] = template.format(f", {region}")
            save_with_heading(make(), out / f"{name}.png", caption)
    return captions


def curves(report: VerificationReport, score: str) -> Figure:
    """A score against lead time, a line a forecast, with the 95 % interval of the first.

    Controls whose differences have a picture are left out, as their lines would lie on the first.
    """
    figure, axes = panels(shown_channels(report), margin=1.75, bottom=0.6)
    days, region = np.array(report["lead_days"]), report["regions"][0]
    apart = _controls(report, score) if score in CONTROLLED else []
    lines = forecast_lines([name for name in report["scores"] if name not in apart])
    first = next(iter(lines))
    for axis, channel in axes:
        ends = {}
        factor, unit = readable_unit(report["channels"][channel])
        if score == "spread_skill":
            factor, unit = 1.0, ""
        for name, line in lines.items():
            estimate = report["scores"][name][channel][region].get(score)
            if estimate is None:
                continue
            value = factor * _array(estimate["value"])
            known = np.isfinite(value)
            # A single point needs a marker to be seen.
            marker = "" if known.all() and len(days) > 1 else "."
            replace(line, marker=marker).plot(axis, days[known], value[known])
            ends[name] = (value[known][-1], line.colour)
            if name == first:
                _interval(axis, days, estimate, line, factor)
        _finish(axis, score, channel_title(channel) + (f"  ({unit})" if unit else ""))
        axis.set_xticks(days[leads_to_show(report["lead_days"], 6)])
        if is_rightmost(axis) or axis is axes[-1][0]:
            label_line_ends(axis, ends, first)
    return figure


def control_differences(report: VerificationReport, score: str) -> Figure:
    """How much lower a score of the first forecast is than controls', with 95 % intervals.

    The dots of controls stand side by side at each lead time.
    """
    figure, axes = panels(shown_channels(report), margin=1.75, bottom=0.6)
    days, region = np.array(report["lead_days"]), report["regions"][0]
    lines = forecast_lines(list(report["scores"]))
    first, controls = next(iter(lines)), _controls(report, score)
    gap = float(np.diff(days).min()) if len(days) > 1 else 1.0
    places = gap * BESIDE * (np.arange(len(controls)) - (len(controls) - 1) / 2)
    for axis, channel in axes:
        axis.axhline(0, color=lines[first].colour, lw=1.4, zorder=1)
        ends: dict[str, tuple[float, str | Colour]] = {first: (0.0, lines[first].colour)}
        for name, place in zip(controls, places, strict=True):
            tables = report["differences"][name]["skill"]
            estimate = tables[channel][region].get(score)
            if estimate is not None:
                value = 100 * _array(estimate["value"])
                _dots(axis, days + place, estimate, lines[name])
                ends[name] = (value[np.isfinite(value)][-1], lines[name].colour)
        axis.set(xlabel="lead time (days)", title=channel_title(channel))
        axis.set_xticks(days[leads_to_show(report["lead_days"], 6)])
        if is_leftmost(axis):
            axis.set_ylabel("per cent; above 0 is better")
        if is_rightmost(axis) or axis is axes[-1][0]:
            label_line_ends(axis, ends, first)
    return figure


def _controls(report: VerificationReport, score: str) -> list[str]:
    """The other forecasts, but for baselines, that have a score.

    Beside ensembles, one member is so much worse that nothing else would be seen.
    """
    region, others, members = report["regions"][0], report["differences"], report["members"]
    several = members[next(iter(report["scores"]))] > 1
    return [
        name
        for name, compared in others.items()
        if name not in NAMES
        and (members[name] > 1 or not several)
        and any(score in compared["skill"][channel][region] for channel in report["channels"])
    ]


def _interval(axis: Axes, days: Array, estimate: Estimate, line: Line, factor: float) -> None:
    """Shade the 95 % interval of an estimate, if it has one."""
    if estimate["low"] is not None and estimate["high"] is not None:
        low, high = (factor * _array(end) for end in (estimate["low"], estimate["high"]))
        axis.fill_between(days, low, high, color=line.colour, alpha=0.18, lw=0)


def _dots(axis: Axes, days: Array, estimate: Estimate, line: Line) -> None:
    """Plot an estimate in per cent as dots, with its 95 % interval, if it has one, as bars."""
    value = 100 * _array(estimate["value"])
    Line(line.colour, 0.0, "", "o").plot(axis, days, value)
    if estimate["low"] is not None and estimate["high"] is not None:
        low, high = (100 * _array(end) for end in (estimate["low"], estimate["high"]))
        axis.vlines(days, low, high, color=line.colour, lw=1.2)


def _finish(axis: Axes, score: str, title: str) -> None:
    """Set the title and limits of a score's panel."""
    axis.set_xlabel("lead time (days)")
    axis.set_title(title)
    if score == "spread_skill":
        low, high = axis.get_ylim()
        axis.set_ylim(min(low, 0.8), max(high, 1.2))
        axis.axhspan(0.9, 1.1, color="#dcebd9", zorder=0)
        axis.axhline(1, color="#6b9a63", lw=0.8, zorder=1)
    else:
        axis.set_ylim(bottom=0)


def rank_histograms(report: VerificationReport) -> Figure:
    """Rank histograms over the uniform one, a line a lead time."""
    figure, axes = panels(shown_channels(report))
    first, region = next(iter(report["scores"])), report["regions"][0]
    for axis, channel in axes:
        for lead, colour in lead_colours(report["lead_days"]).items():
            share = _array(report["ranks"][first][channel][region][lead])
            edges = np.arange(len(share) + 1) / len(share)
            axis.stairs(share * len(share), edges, color=colour, lw=LEAD, baseline=None)
        axis.axhline(1, color="black", lw=0.9, ls=":")
        axis.set(xlim=(0, 1), title=channel_title(channel))
        axis.set_xticks([0, 0.5, 1], ["below all", "rank of the truth", "above all"])
        left, _, right = axis.get_xticklabels()
        left.set_horizontalalignment("left")
        right.set_horizontalalignment("right")
        axis.set_ylim(0, max(2.0, axis.get_ylim()[1]))
        if is_leftmost(axis):
            axis.set_ylabel("frequency / uniform")
    lead_legend(figure, report["lead_days"], {"calibrated": REFERENCE})
    return figure


def reliability_diagrams(report: VerificationReport) -> Figure:
    """Observed frequency and share of cells against forecast probability, of two quantiles."""
    figure, axes = panels(shown_channels(report), under=UNDER)
    first, region = next(iter(report["scores"])), report["regions"][0]
    low, high = Line("gray", 1.2, marker="s", face="white"), Line("gray", 1.2, marker="o")
    events = ((report["reliability"]["0.1"], low), (report["reliability"]["0.9"], high))
    for axis, channel in axes:
        sharpness = panel_under(axis, UNDER)
        REFERENCE.plot(axis, [0, 1], [0, 1])
        for tables, line in events:
            for lead, colour in lead_colours(report["lead_days"]).items():
                curve = tables[first][channel][region][lead]
                x, y, cells = (_array(curve[c]) for c in ("forecast", "observed", "cells"))
                share = cells / cells.sum()
                enough = share > LEAST_SHARE
                replace(line, colour=colour).plot(axis, x[enough], y[enough])
                replace(line, colour=colour, width=0.9).plot(sharpness, x, share)
        axis.set(xlim=(0, 1), ylim=(0, 1), title=channel_title(channel))
        sharpness.set(yscale="log", ylim=(LEAST_SHARE / 4, 1), xlabel="forecast probability")
        sharpness.set_yticks([0.001, 0.01, 0.1, 1], ["0.1 %", "1 %", "10 %", "100 %"])
        if is_leftmost(axis):
            axis.set_ylabel("observed frequency")
            sharpness.set_ylabel("of all cells")
    names = ("above the 10th percentile", "above the 90th percentile of climatology")
    lead_legend(figure, report["lead_days"], dict(zip(names, (low, high), strict=True)), rows=2)
    return figure


def spectra(report: VerificationReport, *, ratio: bool) -> Figure:
    """Power of the members by zonal wavenumber, a line a lead time, and that of the truth."""
    figure, axes = panels(shown_channels(report))
    first, region = next(iter(report["scores"])), report["regions"][0]
    for axis, channel in axes:
        factor, unit = readable_unit(report["channels"][channel])
        truth, members = (
            factor**2 * np.stack([_array(c) for c in report["spectrum"][name][channel][region]])
            for name in ("truth", first)
        )
        truth, members = truth[:, 1:], members[:, 1:]
        wave = np.arange(1, truth.shape[1] + 1)
        for lead, colour in lead_colours(report["lead_days"]).items():
            Line(colour, LEAD).plot(axis, wave, members[lead] / (truth[lead] if ratio else 1))
        TRUTH.plot(axis, wave, np.ones(len(wave)) if ratio else truth.mean(0))
        wavenumber_axis(axis, len(wave))
        axis.set_title(channel_title(channel) + (f"  ({unit})²" if unit and not ratio else ""))
        if ratio:
            _octaves(axis)
        if is_leftmost(axis):
            axis.set_ylabel("members / truth" if ratio else "power")
    lead_legend(figure, report["lead_days"], {"truth": TRUTH})
    return figure


def differences(report: VerificationReport) -> Figure:
    """Differences of members over those of members and truth, a line a lead time.

    It is the root of the ratio of their power, as in the table.
    """
    figure, axes = panels(shown_channels(report))
    first, region = next(iter(report["scores"])), report["regions"][0]
    for axis, channel in axes:
        inner, error = (
            np.stack([_array(c) for c in report[name][first][channel][region]])[:, 1:]
            for name in ("difference_spectrum", "error_spectrum")
        )
        wave = np.arange(1, inner.shape[1] + 1)
        for lead, colour in lead_colours(report["lead_days"]).items():
            Line(colour, LEAD).plot(axis, wave, np.sqrt(inner[lead] / error[lead]))
        REFERENCE.plot(axis, wave, np.ones(len(wave)))
        wavenumber_axis(axis, len(wave))
        axis.set_title(channel_title(channel))
        _octaves(axis)
        if is_leftmost(axis):
            axis.set_ylabel("members / members and truth")
    lead_legend(figure, report["lead_days"], {"calibrated": REFERENCE})
    return figure


def errors_by_spread(report: VerificationReport) -> Figure:
    """Error against spread of cells grouped by spread, a line a lead time."""
    figure, axes = panels(shown_channels(report))
    first, region = next(iter(report["scores"])), report["regions"][0]
    for axis, channel in axes:
        factor, unit = readable_unit(report["channels"][channel])
        for lead, colour in lead_colours(report["lead_days"]).items():
            curve = report["by_spread"][first][channel][region][lead]
            spread, error = (factor * _array(c) for c in (curve["spread"], curve["error"]))
            Line(colour, LEAD, marker="o").plot(axis, spread, error)
        most = max(axis.get_xlim()[1], axis.get_ylim()[1])
        REFERENCE.plot(axis, [0, most], [0, most])
        axis.set(xlim=(0, most), ylim=(0, most), xlabel="spread")
        axis.set_title(channel_title(channel) + (f"  ({unit})" if unit else ""))
        if is_leftmost(axis):
            axis.set_ylabel("error of the ensemble mean")
    lead_legend(figure, report["lead_days"], {"calibrated": REFERENCE})
    return figure


def _octaves(axis: Axes) -> None:
    """Set limits and ticks at powers of two, symmetric about one."""
    most = max(1, int(np.ceil(np.abs(np.log2(axis.get_ylim())).max())))
    powers = range(-most, most + 1, -(-most // 4))
    axis.set_ylim(2.0**-most, 2.0**most)
    names = [f"{2**p}" if p >= 0 else f"1/{2**-p}" for p in powers]
    axis.set_yticks([2.0**p for p in powers], names)


def _array(curve: Curve | None) -> Array:
    """A curve with NaN where it is not defined."""
    return np.array(curve, np.float64)
