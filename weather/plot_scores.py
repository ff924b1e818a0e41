"""Pictures of a verification: a panel a variable; lead time along the axis, or as colour."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from refine_core.files import atomic_write
from weather.labels import pretty, shown, spread, title

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 - the backend is chosen first

Report = Mapping[str, Any]

MOST = 12
"""Panels in a picture; all channels are in metrics.json."""
MAIN, OTHERS = "#1261a0", ("#d1495b", "#2e8b57", "#8e5ea2", "#c77b0a")
BASELINES = {
    "climatology": ("#9a9a9a", (0, (1, 1.5))),
    "climatological ensemble": ("#5c5c5c", "-"),
    "persistence": ("#b08d57", (0, (1, 1.5))),
    "dressed persistence": ("#b08d57", "-"),
}
STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


def draw(report: Report, out: Path) -> dict[str, str]:
    """Draw every picture that the report has numbers for, of its first region.

    Args:
        report: Of `weather.verify.verify`.
        out: Folder.

    Returns:
        Captions by file name.
    """
    region = report["regions"][0]
    captions = {
        "crps.png": f"Fair CRPS, {region}",
        "rmse.png": f"RMSE of the ensemble mean, {region}",
        "spread_skill.png": f"Spread-skill ratio, {region}: 1 is calibrated",
        "ranks.png": f"Rank of the truth among the members, {region}: 1 is calibrated",
        "reliability.png": f"Reliability of extremes, {region}: the diagonal is calibrated",
        "spectra.png": f"Zonal power spectra of members and truth, {region}",
        "spectral_ratio.png": f"Power of members over that of the truth, {region}",
    }
    drawn = {}
    with plt.rc_context(STYLE):
        for file, caption in captions.items():
            figure = _figure(report, file.removesuffix(".png"), region)
            if figure is not None:
                figure.suptitle(caption, x=0.01, ha="left", fontsize=13, fontweight="bold")
                _save(figure, out / file)
                drawn[file] = caption
    return drawn


def _figure(report: Report, kind: str, region: str) -> Any:
    """The figure of a kind, or None without numbers for it."""
    first = next(iter(report["scores"]))
    if kind in ("crps", "rmse", "spread_skill"):
        score = "crps_fair" if kind == "crps" else kind
        return curves(report, score, region)
    if kind == "ranks":
        return ranks(report, region) if first in report.get("ranks", {}) else None
    if kind == "reliability":
        return reliability(report, region) if "reliability_0.9" in report else None
    return spectra(report, region, ratio=kind == "spectral_ratio")


def curves(report: Report, score: str, region: str) -> Any:
    """A score against lead time, a line a forecast, with the 95 % interval of the first."""
    figure, axes = _panels(report, wide=score != "spread_skill")
    days, (first, *_) = report["lead_days"], report["scores"]
    for axis, channel in axes:
        ends = {}
        for name, tree in report["scores"].items():
            leaf = tree[channel][region][score]
            if None in leaf["value"]:
                continue
            colour, dashes, width = _look(report, name)
            axis.plot(days, leaf["value"], color=colour, ls=dashes, lw=width, zorder=width)
            ends[name] = leaf["value"][-1]
            if name == first and leaf["low"] is not None:
                axis.fill_between(days, leaf["low"], leaf["high"], color=colour, alpha=0.18, lw=0)
        unit = report["channels"][channel]
        axis.set_title(title(channel) + (f"  ({pretty(unit)})" if score != "spread_skill" else ""))
        axis.set_xlabel("lead time (days)")
        axis.set_xticks([days[t] for t in shown(days, 6)])
        if score == "spread_skill":
            axis.axhspan(0.9, 1.1, color="#dbe9d8", zorder=0)
            axis.axhline(1, color="#6b9a63", lw=0.8)
        else:
            axis.set_ylim(bottom=0)
        _label_ends(axis, ends, report)
    return figure


def ranks(report: Report, region: str) -> Any:
    """Rank histograms over the uniform one, a line a lead time."""
    figure, axes = _panels(report)
    first = next(iter(report["scores"]))
    for axis, channel in axes:
        found = report["ranks"][first][channel][region]
        for lead, colour in _leads(report):
            share = np.array(found[lead])
            place = (np.arange(len(share) + 1)) / len(share)
            axis.stairs(share * len(share), place, color=colour, lw=1.4)
        axis.axhline(1, color="black", lw=0.8, ls=":")
        axis.set(xlim=(0, 1), xlabel="rank of the truth / members", title=title(channel))
        axis.set_ylim(0, max(2.0, axis.get_ylim()[1]))
        axis.set_ylabel("frequency / uniform")
    return _lead_legend(figure, report)


def reliability(report: Report, region: str) -> Any:
    """Observed frequency against forecast probability, above two quantiles of climatology."""
    figure, axes = _panels(report)
    first = next(iter(report["scores"]))
    for axis, channel in axes:
        axis.plot([0, 1], [0, 1], color="black", lw=0.8, ls=":")
        for quantile, marker in (("0.9", "o"), ("0.1", "s")):
            found = report[f"reliability_{quantile}"][first][channel][region]
            for lead, colour in _leads(report):
                share, forecast, seen = np.array(found[lead], float)
                there = share > 0.002  # a point needs cells
                x, y = forecast[there] / share[there], seen[there] / share[there]
                axis.plot(x, y, color=colour, lw=1.2, marker=marker, ms=3)
        axis.set(xlim=(0, 1), ylim=(0, 1), title=title(channel), aspect="equal")
        axis.set(xlabel="forecast probability", ylabel="observed frequency")
    marks = [plt.Line2D([], [], color="gray", marker=m, ms=4, lw=1.2) for m in "os"]
    names = ["above the 90th percentile of climatology", "above the 10th"]
    return _lead_legend(figure, report, marks, names)


def spectra(report: Report, region: str, *, ratio: bool) -> Any:
    """Power by zonal wavenumber, a line a lead time, of the members and of the truth."""
    figure, axes = _panels(report)
    first = next(iter(report["scores"]))
    tables = report["spectrum"]
    for axis, channel in axes:
        truth = np.array(tables["truth"][channel][region], float)[:, 1:]
        members = np.array(tables[first][channel][region], float)[:, 1:]
        wave = np.arange(1, truth.shape[1] + 1)
        for lead, colour in _leads(report):
            power = members[lead] / truth[lead] if ratio else members[lead]
            axis.plot(wave, power, color=colour, lw=1.4)
        base = np.ones(len(wave)) if ratio else truth.mean(0)
        axis.plot(wave, base, color="black", lw=1.2, ls=":" if ratio else "--")
        axis.set(xscale="log", yscale="log", xlim=(1, wave[-1]), title=title(channel))
        axis.set_xlabel("zonal wavenumber")
        unit = pretty(report["channels"][channel])
        axis.set_ylabel("members / truth" if ratio else f"power ({unit})²")
    mark = plt.Line2D([], [], color="black", lw=1.2, ls=":" if ratio else "--")
    return _lead_legend(figure, report, [mark], ["truth"])
