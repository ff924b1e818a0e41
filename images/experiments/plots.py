"""Figures of the ablation, each to be understood without the text."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from images.experiments.claims import Condition
from images.experiments.design import UNITS
from images.experiments.metrics import Floors
from images.experiments.paper import EPOCHS, HIGH, MSE, PRINTED
from images.experiments.replication import Cell, Results, Stat
from refine_core.storage.files import atomic_write

NAMES = {
    "pixel": "pixels, single shot",
    "latent": "latent, regression",
    "softmax": "latent, softmax",
    "bands 2": "two bands",
}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def plot_learning_curves(path: Path, results: Results, floors: Floors, target: float) -> None:
    """Test error of Pixel- and Latent-MLP over training, with floors and printed errors."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for colour, (name, label) in zip(
        COLOURS, (("pixel", "Pixel-MLP"), ("latent", "Latent-MLP")), strict=False
    ):
        for number, result in enumerate(results[name]):
            rows = [row for row in result.history if "mse" in row]
            axes.plot(
                [row["epoch"] for row in rows],
                [row["mse"] for row in rows],
                color=colour,
                alpha=0.7,
                marker="o",
                markersize=3,
                label=None if number else f"{label}, measured (one line per seed)",
            )
        axes.plot(
            rows[-1]["epoch"],
            PRINTED[label]["mse"],
            marker="*",
            markersize=14,
            linestyle="none",
            color=colour,
            label=f"{label}, end of training as printed",
        )
    _reference_line(axes, target, "target of 'epochs to target'", "--")
    _reference_line(axes, floors["wiener"], "Wiener filter, no training", ":")
    floor = fmean(result.number("floor") for result in results["latent"])
    _reference_line(axes, floor, "autoencoder alone, clean image", "-.")
    axes.set(xlabel="epoch", ylabel="test MSE (lower is better)", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("Setup A: denoising in pixels and in a latent space")
    axes.legend(fontsize=8)
    _save(figure, path)


def plot_beside_paper(path: Path, cells: Sequence[Cell]) -> None:
    """Printed and measured figures with error bars, and the error floors."""
    groups = [[c for c in cells if c.quantity is q] for q in (MSE, HIGH, EPOCHS)]
    heights = [len(group) for group in groups]
    figure = Figure(figsize=(9, 0.34 * sum(heights) + 3), layout="constrained")
    for axes, group in zip(
        figure.subplots(3, 1, height_ratios=heights, squeeze=True), groups, strict=True
    ):
        for place, cell in enumerate(reversed(group)):
            _plot_cell(axes, place, cell)
        labels = [f"Table {cell.table}: {cell.row}" for cell in reversed(group)]
        axes.set_yticks(range(len(group)), labels, fontsize=8)
        axes.set_ylim(-0.7, len(group) - 0.3)
        better = "lower" if group[0].quantity.lower else "higher"
        axes.set_xlabel(f"{group[0].quantity.label} ({better} is better)")
        axes.grid(axis="x", alpha=0.3)
    # Every kind of mark is in the first panel, once per row.
    marks = {mark.get_label(): mark for mark in _legend_handles(figure.axes[0])}
    figure.legend(handles=list(marks.values()), loc="outside upper center", ncols=len(marks))
    _save(figure, path)


def _legend_handles(axes: Axes) -> list[Artist]:
    handles, labels = axes.get_legend_handles_labels()
    return handles


def _plot_cell(axes: Axes, place: int, cell: Cell) -> None:
    if cell.printed:
        mean, std = cell.printed
        axes.errorbar(
            mean, place, xerr=std or 0, fmt="o", mfc="none", color="black", label="printed"
        )
    if math.isfinite(cell.ours.mean):
        axes.errorbar(
            cell.ours.mean, place, xerr=cell.ours.std, fmt="o", color=COLOURS[0], label="measured"
        )
    if cell.floor:
        axes.plot(
            cell.floor.value, place, "|", color=COLOURS[1], markersize=14, label="floor, untrained"
        )


def plot_sweeps(path: Path, conditions: Sequence[Condition]) -> None:
    """Test error of every predictor over each sweep; the band spans the seeds."""
    names = list(dict.fromkeys(condition.sweep for condition in conditions))
    figure = Figure(figsize=(11, 4 * math.ceil(len(names) / 2)), layout="constrained")
    panels = figure.subplots(math.ceil(len(names) / 2), 2, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        chosen = [condition for condition in conditions if condition.sweep == name]
        for colour, (label, curve) in zip(COLOURS, _curves(chosen).items(), strict=False):
            values = list(curve)
            means = [stat.mean for stat in curve.values()]
            axes.plot(values, means, marker="o", color=colour, label=label)
            axes.fill_between(
                values,
                [stat.mean - stat.std for stat in curve.values()],
                [stat.mean + stat.std for stat in curve.values()],
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
        axes.set(xlabel=UNITS[name], ylabel="test MSE", xscale="log", ylim=(-0.007, None))
        ticks = sorted({condition.value for condition in chosen})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.legend(fontsize=7, ncols=2, loc="lower center")
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.suptitle("Which predictor wins depends on the conditions (lower is better)")
    _save(figure, path)


def _curves(conditions: Sequence[Condition]) -> dict[str, dict[float, Stat]]:
    """Errors over values by label; product codes by likeliest code and by posterior mean."""
    curves: dict[str, dict[float, Stat]] = {}
    for condition in conditions:
        for name in condition.results:
            kinds = {NAMES.get(name, name): "mse"}
            if name.startswith("product"):
                label = "product codes" if condition.sweep == "groups" else f"{name} groups"
                kinds = {f"{label}, likeliest": "mse", f"{label}, posterior mean": "mse_mean"}
            for label, key in kinds.items():
                if (stat := condition.stat(name, key)) is not None:
                    curves.setdefault(label, {})[condition.value] = stat
    return curves


def _reference_line(axes: Axes, value: float, label: str, style: str) -> None:
    axes.axhline(value, color="grey", linestyle=style, linewidth=1, label=label)


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)
