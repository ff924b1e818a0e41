"""The picture of quality against network calls."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

from refine_core.storage.files import atomic_write

COLOURS = ("#0b6e4f", "#c1440e", "#3d5a98", "#8a5a9e", "#a07800", "#555555")
PANELS = (
    ("connected", "valid and in one piece (dashed: valid; %)", 100),
    ("fcd", "FCD to validation, lower is better", 1),
    ("unique", "unique of the valid (%)", 100),
)


def plot_calls(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw validity, distance and uniqueness against calls, one line a model and temperature.

    Args:
        rows: Of `graphs.evaluation.compare.compare`.
        path: PNG to write.
    """
    figure = Figure(figsize=(12, 4.2), dpi=130, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    lines: dict[str, list[dict[str, Any]]] = {}
    several = len({(row["model"], row["temperature"]) for row in rows if "calls" in row})
    plain = several == len({row["model"] for row in rows if "calls" in row})
    for row in rows:
        if "calls" in row:
            name = row["model"] if plain else f"{row['model']}, T = {row['temperature']:g}"
            lines.setdefault(name, []).append(row)
    floor = next((row for row in rows if "calls" not in row), None)
    axes: list[Axes] = list(figure.subplots(1, len(PANELS)))
    for axis, (key, title, factor) in zip(axes, PANELS, strict=True):
        for colour, (name, points) in zip(COLOURS * 9, lines.items(), strict=False):
            points = sorted((p for p in points if p[key] is not None), key=lambda p: p["calls"])
            x, y = [p["calls"] for p in points], [factor * p[key] for p in points]
            axis.plot(x, y, "o-", color=colour, label=name, linewidth=1.8, markersize=5)
            if key == "connected":
                each = [factor * p["valid"] for p in points]
                axis.plot(x, each, "--", color=colour, linewidth=1, alpha=0.7)
        if floor is not None and floor[key] is not None:
            axis.axhline(factor * floor[key], color="#888888", linestyle=":", linewidth=1.2)
        _dress(axis, key, title, sorted({row["calls"] for row in rows if "calls" in row}))
    if floor is not None:
        axes[1].plot([], [], ":", color="#888888", label="training molecules")
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    with atomic_write(path) as temporary:
        canvas.print_figure(temporary, format="png")


def _dress(axis: Axes, key: str, title: str, calls: list[int]) -> None:
    axis.set_title(title, loc="left", fontsize=11)
    axis.set_xlabel("network calls of a batch")
    axis.set_xscale("log", base=2)
    ticks = [2**k for k in range(1, 11) if min(calls) / 1.5 <= 2**k <= max(calls) * 1.5]
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.xaxis.set_minor_locator(NullLocator())
    if key == "fcd":
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(ScalarFormatter())
        axis.yaxis.set_minor_locator(NullLocator())
    if key == "unique":
        axis.set_ylim(min(90, axis.get_ylim()[0]), 101)
    axis.grid(alpha=0.25)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
