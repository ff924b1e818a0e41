"""Figures of the ablation, each to be understood without the text."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from images.experiments.claims import Condition
from images.experiments.design import UNITS
from images.experiments.experiment import Result
from images.experiments.metrics import Floors
from images.experiments.paper import EPOCHS, HIGH, MSE, PRINTED
from images.experiments.replication import Cell, Results, Stat
from refine_core.app.figures import PALETTE, REFERENCE, house_style, save

NAMES = {
    "pixel": "pixels, single shot",
    "latent": "latent, regression",
    "softmax": "latent, softmax",
    "bands 2": "two bands",
}


def plot_learning_curves(path: Path, results: Results, floors: Floors, target: float) -> None:
    """Test error of Pixel- and Latent-MLP over training, with lower bounds and printed errors."""
    with house_style():
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.subplots()
        for colour, name, label in zip(
            PALETTE, ("pixel", "latent"), ("Pixel-MLP", "Latent-MLP"), strict=False
        ):
            _plot_histories(axes, results[name], label, colour)
        floor = fmean(result.number("floor") for result in results["latent"])
        for value, text, style in (
            (target, "target of 'epochs to target'", "--"),
            (floors["wiener"], "Wiener filter, no training", ":"),
            (floor, "autoencoder alone, clean image", "-."),
        ):
            axes.axhline(value, color=REFERENCE, linestyle=style, linewidth=1, label=text)
        axes.set(xlabel="epoch", ylabel="test MSE (lower is better)", ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title("Setup A: denoising in pixels and in a latent space")
        axes.legend()
        save(figure, path)


def _plot_histories(axes: Axes, results: Sequence[Result], label: str, colour: str) -> None:
    """A line per seed, and a star at the error printed for the end of training."""
    last = 0.0
    for number, result in enumerate(results):
        rows = [row for row in result.history if "mse" in row]
        epochs, last = [row["epoch"] for row in rows], rows[-1]["epoch"]
        name = None if number else f"{label}, measured (one line per seed)"
        errors = [row["mse"] for row in rows]
        axes.plot(epochs, errors, color=colour, alpha=0.7, marker="o", markersize=3, label=name)
    name = f"{label}, end of training as printed"
    axes.plot(last, PRINTED[label]["mse"], "*", markersize=14, color=colour, label=name)


def plot_beside_paper(path: Path, cells: Sequence[Cell]) -> None:
    """Printed and measured figures with error bars, and the error floors."""
    groups = [[c for c in cells if c.quantity == q] for q in (MSE, HIGH, EPOCHS)]
    heights = [len(group) for group in groups]
    with house_style():
        figure = Figure(figsize=(9, 0.34 * sum(heights) + 3), layout="constrained")
        panels = figure.subplots(3, 1, height_ratios=heights)
        for axes, group in zip(panels, groups, strict=True):
            for place, cell in enumerate(reversed(group)):
                _plot_cell(axes, place, cell)
            labels = [f"Table {cell.table}: {cell.row}" for cell in reversed(group)]
            axes.set_yticks(range(len(group)), labels)
            axes.set_ylim(-0.7, len(group) - 0.3)
            better = "lower" if group[0].quantity.lower else "higher"
            axes.set_xlabel(f"{group[0].quantity.label} ({better} is better)")
            axes.grid(False, axis="y")
        # Every kind of mark is in the first panel, once per row.
        handles, names = panels[0].get_legend_handles_labels()
        marks = dict(zip(names, handles, strict=True))
        figure.legend(marks.values(), marks, loc="outside upper center", ncols=len(marks))
        save(figure, path)


def _plot_cell(axes: Axes, place: int, cell: Cell) -> None:
    if cell.printed:
        mean, std = cell.printed
        axes.errorbar(
            mean, place, xerr=std or 0, fmt="o", mfc="none", color="black", label="printed"
        )
    if math.isfinite(cell.ours.mean):
        axes.errorbar(
            cell.ours.mean, place, xerr=cell.ours.std, fmt="o", color=PALETTE[0], label="measured"
        )
    if cell.floor:
        axes.plot(
            cell.floor.value, place, "|", color=PALETTE[1], markersize=14, label="floor, untrained"
        )


def plot_sweeps(path: Path, conditions: Sequence[Condition]) -> None:
    """Test error of every predictor over each sweep; the band spans the seeds."""
    names = list(dict.fromkeys(condition.sweep for condition in conditions))
    rows = math.ceil(len(names) / 2)
    with house_style():
        figure = Figure(figsize=(11, 4 * rows), layout="constrained")
        panels = figure.subplots(rows, 2, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            _plot_sweep(axes, name, [each for each in conditions if each.sweep == name])
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        figure.suptitle("Which predictor wins depends on the conditions (lower is better)")
        save(figure, path)


def _plot_sweep(axes: Axes, name: str, conditions: Sequence[Condition]) -> None:
    for colour, (label, curve) in zip(PALETTE, _curves(conditions).items(), strict=False):
        values, stats = list(curve), list(curve.values())
        axes.plot(values, [s.mean for s in stats], marker="o", color=colour, label=label)
        low, high = [s.mean - s.std for s in stats], [s.mean + s.std for s in stats]
        axes.fill_between(values, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel=UNITS[name], ylabel="test MSE", xscale="log", ylim=(-0.007, None))
    ticks = sorted({condition.value for condition in conditions})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.legend(fontsize=7, ncols=2, loc="lower center")


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
