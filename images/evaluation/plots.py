"""Pictures that explain themselves: samples, filmstrips, code usage, training curves."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy
import torch
from torch import Tensor

from images.model import ImageModel
from refine_core.quantizers.usage import Usage
from refine_core.storage.files import atomic_write

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 - the backend is chosen first


def picture(images: Tensor) -> Any:
    """Image array (h, w) or (h, w, 3) for drawing, of one image (c, h, w) in [0, 1]."""
    shown = images.clamp(0, 1)
    return (shown[0] if len(shown) != 3 else shown.permute(1, 2, 0)).numpy()


def tile(images: Tensor, columns: int, gap: int = 1) -> Tensor:
    """One image (c, H, W) of many (n, c, h, w), row by row, with white gaps."""
    rows = -(-len(images) // columns)
    missing = images.new_ones(rows * columns - len(images), *images.shape[1:])
    padded = torch.nn.functional.pad(torch.cat([images, missing]), (0, gap, 0, gap), value=1.0)
    lines = padded.unflatten(0, (rows, columns))
    return torch.cat([torch.cat(list(line), -1) for line in lines], -2)[:, :-gap, :-gap]


def save_grid(
    images: Tensor, path: Path, columns: int, title: str, rows: Sequence[str] = ()
) -> None:
    """Draw images (n, c, h, w) in rows of `columns`, with a name for each row."""
    lines = -(-len(images) // columns)
    figure, axes = plt.subplots(
        figsize=(0.5 * columns + 1, 0.5 * lines + 0.6), layout="constrained"
    )
    axes.imshow(picture(tile(images, columns)), cmap="gray", vmin=0, vmax=1)
    height = images.shape[2] + 1
    axes.set_yticks([height * (i + 0.5) for i in range(len(rows))], rows)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_title(title)
    _save(figure, path)


def save_images(images: Tensor, labels: Tensor, path: Path) -> None:
    """Save a picture (.png), or arrays `images` (n, c, h, w) and `labels` (n,) (.npz)."""
    if path.suffix == ".npz":
        with atomic_write(path) as temporary:
            numpy.savez_compressed(temporary, images=images.numpy(), labels=labels.numpy())
    else:
        save_grid(images, path, min(len(images), 10), f"{len(images)} samples")


def save_samples(model: ImageModel, path: Path, each: int = 10, seed: int = 0) -> None:
    """Draw `each` samples of every class, a row a class."""
    classes = max(model.classes, 1)
    labels = torch.arange(classes).repeat_interleave(each) if model.classes else None
    images = model.sample(classes * each, seed=seed, labels=labels)
    names = [str(c) for c in range(model.classes)]
    calls = len(model.schedule)
    save_grid(images, path, each, f"samples by class, {calls} network calls each", names)


def save_filmstrip(model: ImageModel, path: Path, count: int = 6, seed: int = 0) -> None:
    """Draw each sample after every scale: what each network call adds."""
    frames = [model.sample(count, seed=seed, scales=k + 1) for k in range(len(model.schedule))]
    sizes = [scale.name for scale in model.schedule]
    figure, axes = plt.subplots(
        count,
        len(frames),
        figsize=(1.1 * len(frames), 1.1 * count + 0.5),
        layout="constrained",
        squeeze=False,
    )
    for k, (frame, size) in enumerate(zip(frames, sizes, strict=True)):
        axes[0, k].set_title(f"call {k + 1}\n{size}", fontsize=9)
        for row in range(count):
            axes[row, k].imshow(picture(frame[row]), cmap="gray", vmin=0, vmax=1)
            axes[row, k].axis("off")
    figure.suptitle("coarse to fine: the image after each call", fontsize=10)
    _save(figure, path)


def save_usage(usages: Sequence[Usage], names: Sequence[str], path: Path) -> None:
    """Draw how often each code is used, most used first, a panel a scale."""
    wide = min(len(usages), 5)
    high = math.ceil(len(usages) / wide)
    figure, axes = plt.subplots(
        high,
        wide,
        figsize=(2.6 * wide, 2.6 * high),
        layout="constrained",
        squeeze=False,
        sharey=True,
    )
    for axis in axes.flat[len(usages) :]:
        axis.axis("off")
    for axis, each, name in zip(axes.flat, usages, names, strict=False):
        share = each.count.double() / each.count.sum(1, keepdim=True).clamp(min=1)
        for digit in share:
            axis.plot(digit.sort(descending=True).values * len(digit), lw=1)
        axis.axhline(1, color="gray", lw=0.8, ls=":")
        axis.set(
            title=f"scale {name}\n{each.fraction:.0%} used, "
            f"perplexity {each.perplexity:.0f} of {each.size}",
            xlabel="code, most used first",
            yscale="log",
        )
        axis.title.set_fontsize(9)
    for axis in axes[:, 0]:
        axis.set_ylabel("frequency / uniform")
    _save(figure, path)


def save_curves(run: Path, path: Path) -> None:
    """Draw every metric of a training run's metrics.json against the epoch."""
    history = json.loads((run / "metrics.json").read_text())
    names = [n for n in history[0] if n not in ("epoch", "step", "seconds")]
    columns = 4
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3 * columns, 2.2 * rows), layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, name in zip(axes.flat, names, strict=False):
        axis.axis("on")
        axis.plot([r["epoch"] for r in history], [r[name] for r in history], marker=".", lw=1)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("epoch", fontsize=8)
    figure.suptitle(f"training of {run.parent.name}/{run.name}", fontsize=10)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)
