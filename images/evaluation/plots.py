"""Figures of a model: samples, the image after each network call, code usage, training curves."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from images.model import ImageModel
from refine_core.app.figures import REFERENCE, house_style, save
from refine_core.quantizers.usage import Usage
from refine_core.storage.files import atomic_write


def save_images(images: Tensor, labels: Tensor, path: Path) -> None:
    """Save a picture (.png), or arrays `images` (n, c, h, w) and `labels` (n,) (.npz)."""
    if path.suffix == ".npz":
        with atomic_write(path) as temporary:
            np.savez_compressed(temporary, images=images.numpy(), labels=labels.numpy())
    else:
        plot_grid(images, path, min(len(images), 10), f"{len(images)} samples")


def plot_grid(
    images: Tensor, path: Path, columns: int, title: str, rows: Sequence[str] = ()
) -> None:
    """Plot images (n, c, h, w) in rows of `columns`, with a name for each row."""
    lines = -(-len(images) // columns)
    with house_style():
        size = (0.5 * columns + 1, 0.5 * lines + 0.6)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        _show(axes, tiled(images, columns))
        height = images.shape[2] + 1
        axes.set_yticks([height * (i + 0.5) for i in range(len(rows))], rows)
        axes.tick_params(length=0)
        axes.set_title(title)
        save(figure, path, dpi=110)


def plot_samples(model: ImageModel, path: Path, each: int = 10, seed: int = 0) -> None:
    """Sample `each` images of every class and plot them, a row a class."""
    classes = max(model.classes, 1)
    labels = torch.arange(classes).repeat_interleave(each) if model.classes else None
    images = model.sample(classes * each, seed=seed, labels=labels)
    names = [str(c) for c in range(model.classes)]
    calls = len(model.tokenizer.schedule)
    plot_grid(images, path, each, f"samples by class, {calls} network calls each", names)


def plot_filmstrip(model: ImageModel, path: Path, count: int = 6, seed: int = 0) -> None:
    """Sample images and plot each after every network call, a row an image."""
    schedule = model.tokenizer.schedule
    frames = model.sample_steps(count, seed=seed)
    with house_style():
        size = (1.1 * len(frames), 1.1 * count + 0.5)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(count, len(frames), squeeze=False)
        for k, (frame, scale) in enumerate(zip(frames, schedule, strict=True)):
            axes[0, k].set_title(f"call {k + 1}\n{scale.name}")
            for row in range(count):
                _show(axes[row, k], frame[row])
        figure.suptitle("coarse to fine: the image after each call")
        save(figure, path, dpi=110)


def plot_usage(usages: Sequence[Usage], names: Sequence[str], path: Path) -> None:
    """Plot how often each code is used, most used first, a panel a scale."""
    with house_style():
        figure, panels = _panels(len(usages), 5, (2.6, 2.6), alike=True)
        for axes, usage, name in zip(panels, usages, names, strict=True):
            share = usage.count.double() / usage.count.sum(1, keepdim=True).clamp(min=1)
            for digit in share:
                axes.plot(digit.sort(descending=True).values * len(digit))
            axes.axhline(1, color=REFERENCE, linewidth=0.8, linestyle=":")
            axes.set(xlabel="code, most used first", yscale="log")
            axes.set_title(
                f"scale {name}\n{usage.fraction:.0%} used, "
                f"perplexity {usage.perplexity:.0f} of {usage.size}",
                fontsize=8,
            )
        panels[0].set_ylabel("frequency / uniform")
        save(figure, path, dpi=110)


def plot_curves(run: Path, path: Path) -> None:
    """Plot every metric of a training run's metrics.json against the epoch."""
    history: list[dict[str, float | None]] = json.loads((run / "metrics.json").read_text())
    names = [name for name in history[0] if name not in ("epoch", "step", "seconds")]
    with house_style():
        figure, panels = _panels(len(names), 4, (3, 2.2))
        for axes, name in zip(panels, names, strict=True):
            values = [math.nan if (value := row[name]) is None else value for row in history]
            axes.plot(np.arange(1, len(values) + 1), values, marker=".")
            axes.set_title(name)
            axes.set_xlabel("epoch")
        figure.suptitle(f"training of {run.parent.name}/{run.name}")
        save(figure, path, dpi=110)


def _panels(
    count: int, columns: int, size: tuple[float, float], *, alike: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels of `size` in inches, in rows of at most `columns`.

    With `alike` they share the y axis.
    """
    columns = min(count, columns)
    rows = -(-count // columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False, sharey=alike).flat)
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels[:count]


def _show(axes: Axes, image: Tensor) -> None:
    """Show an image (c, h, w) in [0, 1] without ticks, lines and frame."""
    shown: NDArray[np.float32] = image.clamp(0, 1).movedim(0, -1).numpy()
    axes.imshow(shown if shown.shape[2] == 3 else shown[:, :, 0], cmap="gray", vmin=0, vmax=1)
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def tiled(images: Tensor, columns: int, gap: int = 1) -> Tensor:
    """One image (c, H, W) of many (n, c, h, w), row by row, with white gaps."""
    rows = -(-len(images) // columns)
    missing = images.new_ones(rows * columns - len(images), *images.shape[1:])
    padded = torch.nn.functional.pad(torch.cat([images, missing]), (0, gap, 0, gap), value=1.0)
    lines = padded.unflatten(0, (rows, columns))
    return torch.cat([torch.cat(list(line), -1) for line in lines], -2)[:, :-gap, :-gap]
