"""Pictures of a verification: a panel a variable; lead time along the axis, or as colour."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from weather.fields.labels import channel_title, leads_to_show, readable_unit
from weather.plots.figure import (
    house_style,
    label_ends,
    lead_colours,
    lead_legend,
    look,
    panels,
    save,
    wave_axis,
)

Report = Mapping[str, Any]
SHARE = 0.002
"""Of the cells that a point of a reliability diagram needs."""


def draw(report: Report, out: Path) -> dict[str, str]:
    """Draw every picture that the report has numbers for, of its first region.

    Args:
        report: Of `weather.verification.run.verify`.
        out: Folder.

    Returns:
        Captions by file name.
    """
    first, region = next(iter(report["scores"])), report["regions"][0]
    plans: list[tuple[str, str, Callable[[], Any]]] = [
        ("crps", "Fair CRPS{}: lower is better", lambda: curves(report, "crps_fair")),
        ("rmse", "RMSE of the ensemble mean{}: lower is better", lambda: curves(report, "rmse")),
        ("spectra", "Zonal power spectra of the members{}", lambda: spectra(report, ratio=False)),
        (
            "ratio",
            "Power of members over truth{}",
            lambda: spectra(report, ratio=True),
        ),
    ]
    if report["members"][first] > 1:
        plans += [
            ("spread", "Spread-skill ratio{}: 1 is right", lambda: curves(report, "spread_skill")),
            ("ranks", "Rank histograms{}: flat is right", lambda: ranks(report)),
        ]
    if "reliability_0.9" in report:
        plans.append(("reliability", "Reliability of extremes{}", lambda: reliability(report)))
    captions = {}
    with house_style():
        for name, caption, make in plans:
            captions[f"{name}.png"] = caption.format(f", {region}")
            save(make(), out / f"{name}.png", captions[f"{name}.png"])
    return captions


def curves(report: Report, score: str) -> Any:
    """A score against lead time, a line a forecast, with the 95 % interval of the first."""
    figure, axes = panels(list(report["channels"]), margin=1.75, bottom=0.6)
    days, region = np.array(report["lead_days"]), report["regions"][0]
    looks = look(list(report["scores"]))
    first = next(iter(looks))
    for axis, channel in axes:
        ends = {}
        factor, unit = readable_unit(report["channels"][channel])
        if score == "spread_skill":
            factor, unit = 1.0, ""
        for name, (colour, dashes, width) in looks.items():
            leaf = report["scores"][name][channel][region][score]
            value = factor * np.array(leaf["value"], np.float64)
            known = np.isfinite(value)
            if not known.any():
                continue
            mark = "" if known.all() and len(days) > 1 else "."
            line = {"color": colour, "ls": dashes, "lw": width, "marker": mark}
            axis.plot(days[known], value[known], zorder=width, **line)
            ends[name] = (value[known][-1], colour)
            if name == first and leaf["low"] is not None:
                low, high = (factor * np.array(leaf[end], np.float64) for end in ("low", "high"))
                axis.fill_between(days, low, high, color=colour, alpha=0.18, lw=0)
        _finish(axis, score, channel_title(channel) + (f"  ({unit})" if unit else ""))
        axis.set_xticks(days[leads_to_show(report["lead_days"], 6)])
        if axis.get_subplotspec().is_last_col() or axis is axes[-1][0]:
            label_ends(axis, ends, first)
    return figure


def _finish(axis: Any, score: str, heading: str) -> None:
    axis.set_xlabel("lead time (days)")
    axis.set_title(heading)
    if score == "spread_skill":
        low, high = axis.get_ylim()
        axis.set_ylim(min(low, 0.8), max(high, 1.2))
        axis.axhspan(0.9, 1.1, color="#dcebd9", zorder=0)
        axis.axhline(1, color="#6b9a63", lw=0.8, zorder=1)
    else:
        axis.set_ylim(bottom=0)


def ranks(report: Report) -> Any:
    """Rank histograms over the uniform one, a line a lead time."""
    figure, axes = panels(list(report["channels"]))
    first, region = next(iter(report["scores"])), report["regions"][0]
    for axis, channel in axes:
        for lead, colour in lead_colours(report["lead_days"]).items():
            share = np.array(report["ranks"][first][channel][region][lead])
            place = np.arange(len(share) + 1) / len(share)
            axis.stairs(share * len(share), place, color=colour, lw=1.5, baseline=None)
        axis.axhline(1, color="black", lw=0.9, ls=":")
        axis.set(xlim=(0, 1), title=channel_title(channel), xticks=[0, 0.5, 1])
        labels = axis.set_xticklabels(["below all", "rank of the truth", "above all"])
        labels[0].set_ha("left")
        labels[-1].set_ha("right")
        axis.set_ylim(0, max(2.0, axis.get_ylim()[1]))
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel("frequency / uniform")
    marks = {"calibrated": {"color": "black", "lw": 0.9, "ls": ":"}}
    lead_legend(figure, report["lead_days"], marks)
    return figure


def reliability(report: Report) -> Any:
    """Observed frequency against forecast probability, above two quantiles of climatology."""
    figure, axes = panels(list(report["channels"]))
    first, region = next(iter(report["scores"])), report["regions"][0]
    marks = {
        "above the 10th percentile": {"color": "gray", "marker": "s", "ms": 3.5, "mfc": "white"},
        "above the 90th percentile of climatology": {"color": "gray", "marker": "o", "ms": 3.5},
    }
    for axis, channel in axes:
        axis.plot([0, 1], [0, 1], color="black", lw=0.9, ls=":")
        for quantile, shape in zip(("0.1", "0.9"), marks.values(), strict=True):
            found = report[f"reliability_{quantile}"][first][channel][region]
            for lead, colour in lead_colours(report["lead_days"]).items():
                share, forecast, seen = np.array(found[lead], np.float64)
                there = share > SHARE
                x, y = forecast[there] / share[there], seen[there] / share[there]
                axis.plot(x, y, lw=1.2, **(shape | {"color": colour}))
        axis.set(
            xlim=(0, 1), ylim=(0, 1), title=channel_title(channel), xlabel="forecast probability"
        )
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel("observed frequency")
    lead_legend(figure, report["lead_days"], marks, rows=2)
    return figure


def spectra(report: Report, *, ratio: bool) -> Any:
    """Power of the members by zonal wavenumber, a line a lead time, beside the truth's."""
    figure, axes = panels(list(report["channels"]))
    first, region = next(iter(report["scores"])), report["regions"][0]
    tables = report["spectrum"]
    mark = {"color": "black", "lw": 1.2, "ls": ":"}
    for axis, channel in axes:
        factor, unit = readable_unit(report["channels"][channel])
        truth, members = (
            factor**2 * np.array(tables[name][channel][region], np.float64)[:, 1:]
            for name in ("truth", first)
        )
        wave = np.arange(1, truth.shape[1] + 1)
        for lead, colour in lead_colours(report["lead_days"]).items():
            axis.plot(wave, members[lead] / (truth[lead] if ratio else 1), color=colour, lw=1.5)
        axis.plot(wave, np.ones(len(wave)) if ratio else truth.mean(0), **mark)
        wave_axis(axis, len(wave))
        axis.set_title(channel_title(channel) + (f"  ({unit})²" if unit and not ratio else ""))
        if ratio:
            _octaves(axis)
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel("members / truth" if ratio else "power")
    lead_legend(figure, report["lead_days"], {"truth": mark})
    return figure


def _octaves(axis: Any) -> None:
    """Limits and ticks at powers of two, as far below one as above."""
    most = max(1, int(np.ceil(np.abs(np.log2(axis.get_ylim())).max())))
    powers = range(-most, most + 1, -(-most // 4))
    axis.set_ylim(2.0**-most, 2.0**most)
    axis.set_yticks([2.0**p for p in powers], [f"{2.0**p:g}" for p in powers])
