"""The commands that sample: `refine images sample` and `refine images edit`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from refine_core.app.outputs import output_file
from refine_core.app.processes.workers import Workers
from refine_core.config.ranges import NonNegativeFloat, PositiveInt
from refine_core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from images.data.load import Images
    from images.model import ImageModel

Picture = Annotated[Path, output_file(".png", ".npz")]


def sample(
    model: str = "mnist",
    count: PositiveInt = 100,
    label: int | None = None,
    seed: int = 0,
    guidance: float | None = None,
    temperature: NonNegativeFloat | None = None,
    batch: PositiveInt = 100,
    workers: Workers = "auto",
    out: Picture = Path("samples.png"),
) -> None:
    """Sample images and save them as a picture or an .npz archive.

    Args:
        model: A shipped model's name, a run's folder or a file.
        count: How many images.
        label: Class of all of them, or -1 for any; by default the classes in turn.
        seed: Seed of the samples; image i depends on it and i only.
        guidance: Weight of classifier-free guidance at every scale; by default the model's.
        temperature: Temperature of every scale; by default the model's.
        batch: Images at a time.
        workers: Processes that share the batches; auto is one for each core where that pays.
        out: A .png picture, or an .npz archive with `images` (n, c, h, w) and `labels`.
    """
    import torch

    from images.evaluation.plots import save_images
    from images.model import load

    loaded = with_sampling(load(model), guidance, temperature)
    _check_label(loaded, label)
    images = loaded.sample(count, seed=seed, labels=label, batch=batch, workers=workers)
    labels = torch.arange(count) % max(loaded.classes, 1) if label is None else label
    save_images(images, torch.as_tensor(labels).expand(count), out)
    print(out)


def edit(
    source: Path | None = None,
    model: str = "mnist",
    count: PositiveInt = 10,
    box: tuple[int, int, int, int] | None = None,
    keep_scales: int | None = None,
    label: int | None = None,
    seed: int = 0,
    out: Picture = Path("edited.png"),
) -> None:
    """Sample a rectangle of images anew (inpainting), or their fine detail (super-resolution).

    Args:
        source: Images by path, see `refine images train`; by default MNIST.
        model: A shipped model's name, a run's folder or a file.
        count: How many of its test images, the first.
        box: Top, left, bottom, right in pixels of the rectangle to sample.
        keep_scales: Instead of a box: keep that many of the coarsest scales, sample the rest.
        label: Class of the images; by default none is given.
        seed: Seed of the samples.
        out: A .png picture (original above edited), or an .npz archive of the edited images.
    """
    import torch

    from images.evaluation.plots import plot_grid, save_images
    from images.model import load

    if (box is None) == (keep_scales is None):
        raise InputError("Give either --box TOP LEFT BOTTOM RIGHT or --keep-scales N.")
    loaded = load(model)
    _check_label(loaded, label)
    originals = read(source).test.images
    if count > len(originals):
        raise InputError(
            f"Found --count {count}, but there are {len(originals)} test images: give fewer."
        )
    originals = originals[:count]
    loaded.check_images(originals)
    if box is not None:
        mask = _mask(box, loaded.shape[1:])
        edited = loaded.inpaint(originals, mask, seed=seed, labels=label)
    elif keep_scales is not None:
        edited = loaded.super_resolve(originals, keep_scales, seed=seed, labels=label)
    if out.suffix == ".npz":
        labels = torch.full((len(edited),), -1 if label is None else label)
        save_images(edited, labels, out)
    else:
        both, rows = torch.cat([originals, edited]), ["original", "edited"]
        plot_grid(both, out, len(originals), "original and edited", rows)
    print(out)


def read(path: Path | None) -> "Images":
    """Read images by path; MNIST if there is none."""
    from images.data.load import mnist, read_images

    return mnist() if path is None else read_images(path)


def with_sampling(
    model: "ImageModel", guidance: float | None, temperature: float | None
) -> "ImageModel":
    """The model with other settings of sampling, at every scale; None leaves one as it is."""
    if guidance is not None:
        model = model.with_sampling(guidance=(guidance,))
    if temperature is not None:
        model = model.with_sampling(temperature=(temperature,))
    return model


def _mask(box: tuple[int, int, int, int], size: tuple[int, int]) -> "Tensor":
    """(h, w) bool, True inside the box.

    Raises:
        InputError: It reaches beyond the image, or is empty.
    """
    import torch

    top, left, bottom, right = box
    if not (0 <= top < bottom <= size[0] and 0 <= left < right <= size[1]):
        raise InputError(
            f"Found --box {top} {left} {bottom} {right}, expected top, left, bottom and right of "
            f"a rectangle that lies inside the image of {size[0]}x{size[1]} pixels."
        )
    mask = torch.zeros(size, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def _check_label(model: "ImageModel", label: int | None) -> None:
    """Refuse a label that is not a class of the model.

    Raises:
        InputError: It is not.
    """
    if label is not None and not model.classes:
        raise InputError(f"Found --label {label} for a model without classes: leave it out.")
    if label is not None and not -1 <= label < model.classes:
        raise InputError(
            f"Found --label {label}, expected a class of this model: 0 to {model.classes - 1}, or "
            "-1 for any."
        )
