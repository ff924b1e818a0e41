"""Pictures of a verification: a panel a variable; lead time along the axis, or as colour."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from weather.labels import pretty, shown, title
from weather.panels import (
    house_style,
    label_ends,
    lead_colours,
    lead_legend,
    look,
    panels,
    save,
)

Report = Mapping[str, Any]
SHARE = 0.002
"""Of the cells that a point of a reliability diagram needs."""


def draw(report: Report, out: Path) -> dict[str, str]:
    """Draw every picture that the report has numbers for, of its first region.

    Args:
        report: Of `weather.verify.verify`.
        out: Folder.

    Returns:
        Captions by file name.
    """
    first, region = next(iter(report["scores"])), report["regions"][0]
    plans: list[tuple[str, str, Callable[[], Any]]] = [
        ("crps", "Fair CRPS", lambda: curves(report, "crps_fair")),
        ("rmse", "RMSE of the ensemble mean", lambda: curves(report, "rmse")),
        ("spectra", "Zonal power spectra", lambda: spectra(report, ratio=False)),
        ("spectral_ratio", "Power relative to the truth", lambda: spectra(report, ratio=True)),
    ]
    if report["members"][first] > 1:
        plans += [
            ("spread_skill", "Spread-skill ratio", lambda: curves(report, "spread_skill")),
            ("ranks", "Rank histograms", lambda: ranks(report)),
        ]
    if "reliability_0.9" in report:
        plans.append(("reliability", "Reliability", lambda: reliability(report)))
    captions = {}
    with house_style():
        for name, caption, make in plans:
            captions[f"{name}.png"] = f"{caption}, {region}"
            save(make(), out / f"{name}.png", captions[f"{name}.png"])
    return captions


def curves(report: Report, score: str) -> Any:
    """A score against lead time, a line a forecast, with the 95 % interval of the first."""
    figure, axes = panels(list(report["channels"]), margin=1.6)
    days, region, looks = report["lead_days"], report["regions"][0], look(list(report["scores"]))
    first = next(iter(looks))
    for axis, channel in axes:
        ends = {}
        for name, (colour, dashes, width) in looks.items():
            leaf = report["scores"][name][channel][region][score]
            if None in leaf["value"]:
                continue
            axis.plot(days, leaf["value"], color=colour, ls=dashes, lw=width, zorder=width)
            ends[name] = (leaf["value"][-1], colour)
            if name == first and leaf["low"] is not None:
                axis.fill_between(days, leaf["low"], leaf["high"], color=colour, alpha=0.18, lw=0)
        unit = pretty(report["channels"][channel])
        _finish(axis, score, title(channel) + (f"  ({unit})" if unit else ""))
        axis.set_xticks([days[t] for t in shown(days, 6)])
        if axis.get_subplotspec().is_last_col() or axis is axes[-1][0]:
            label_ends(axis, ends, first)
    return figure


def _finish(axis: Any, score: str, heading: str) -> None:
    axis.set_xlabel("lead time (days)")
    axis.set_title(heading)
    if score == "spread_skill":
        axis.set_title(heading.partition("  (")[0])
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
        axis.set(xlim=(0, 1), title=title(channel), xticks=[0, 0.5, 1])
        axis.set_xticklabels(["below all", "rank of the truth", "above all"])
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
        axis.set(xlim=(0, 1), ylim=(0, 1), title=title(channel), xlabel="forecast probability")
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel("observed frequency")
    lead_legend(figure, report["lead_days"], marks)
    return figure


def spectra(report: Report, *, ratio: bool) -> Any:
    """Power of the members by zonal wavenumber, a line a lead time, beside the truth's."""
    figure, axes = panels(list(report["channels"]))
    first, region = next(iter(report["scores"])), report["regions"][0]
    tables = report["spectrum"]
    mark = {"color": "black", "lw": 1.2, "ls": ":"}
    for axis, channel in axes:
        truth, members = (
            np.array(tables[name][channel][region], np.float64)[:, 1:] for name in ("truth", first)
        )
        wave = np.arange(1, truth.shape[1] + 1)
        for lead, colour in lead_colours(report["lead_days"]).items():
            power = members[lead] / (truth[lead] if ratio else 1)
            axis.plot(wave, power, color=colour, lw=1.5)
        axis.plot(wave, np.ones(len(wave)) if ratio else truth.mean(0), **mark)
        unit = pretty(report["channels"][channel])
        axis.set(xscale="log", yscale="log", xlim=(1, wave[-1]), xlabel="zonal wavenumber")
        axis.set_title(title(channel) + (f"  ({unit})²" if unit and not ratio else ""))
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel("members / truth" if ratio else "power")
    lead_legend(figure, report["lead_days"], {"truth": mark})
    return figure
