"""The commands that draw: `refine images sample` and `refine images edit`."""

from pathlib import Path

import torch

from images import model as trained
from images.data import load as data
from images.evaluation import plots as pictures
from refine_core.app.options import arguments
from refine_core.errors import InputError


def sample(argv: list[str]) -> None:
    """Draw images and save them as a picture or an .npz archive."""

    def run(
        model: str = "mnist",
        count: int = 100,
        label: int | None = None,
        seed: int = 0,
        guidance: float | None = None,
        temperature: float | None = None,
        batch: int = 100,
        out: Path = Path("samples.png"),
    ) -> None:
        """Draw images.

        Args:
            model: A shipped model's name, a run's folder or a file.
            count: How many images.
            label: Class of all of them; by default the classes in turn.
            seed: Of the draw; image i depends on it and i only.
            guidance: Weight of classifier-free guidance at every scale; by default the model's.
            temperature: Of every scale; by default the model's.
            batch: Images at a time.
            out: A .png picture, or an .npz archive with `images` (n, c, h, w) and `labels`.
        """
        loaded = with_sampling(trained.load(model), guidance, temperature)
        check_suffix(out, ".png", ".npz")
        images = loaded.sample(count, seed=seed, labels=label, batch=batch)
        labels = torch.arange(count) % max(loaded.classes, 1) if label is None else label
        pictures.save_images(images, torch.as_tensor(labels).expand(count), out)
        print(out)

    arguments(run, argv, "refine images sample")


def edit(argv: list[str]) -> None:
    """Redraw a rectangle of images (inpainting), or their fine detail (super-resolution)."""

    def run(
        source: Path | None = None,
        model: str = "mnist",
        count: int = 10,
        box: tuple[int, int, int, int] | None = None,
        keep_scales: int | None = None,
        label: int | None = None,
        seed: int = 0,
        out: Path = Path("edited.png"),
    ) -> None:
        """Edit the first test images.

        Args:
            source: Images by path, see `refine images train`; by default MNIST.
            model: A shipped model's name, a run's folder or a file.
            count: How many of its test images.
            box: Top, left, bottom, right in pixels of the rectangle to redraw.
            keep_scales: Instead of a box: keep that many of the coarsest scales, redraw the rest.
            label: Class to draw; by default none is given.
            seed: Of the draw.
            out: A .png picture (original above edited), or an .npz archive of the edited images.
        """
        if (box is None) == (keep_scales is None):
            raise InputError("Give either --box TOP LEFT BOTTOM RIGHT or --keep-scales N.")
        check_suffix(out, ".png", ".npz")
        loaded, originals = trained.load(model), read(source).test.images[:count]
        _check_shape(loaded, originals)
        if box is not None:
            edited = loaded.inpaint(
                originals, _mask(box, loaded.shape[1:]), seed=seed, labels=label
            )
        else:
            assert keep_scales is not None
            edited = loaded.super_resolve(originals, keep_scales, seed=seed, labels=label)
        if out.suffix == ".npz":
            pictures.save_images(
                edited, torch.full((len(edited),), -1 if label is None else label), out
            )
        else:
            both = torch.cat([originals, edited])
            pictures.plot_grid(
                both, out, len(originals), "original and edited", ["original", "edited"]
            )
        print(out)

    arguments(run, argv, "refine images edit")


def read(path: Path | None) -> data.Images:
    """Images by path; MNIST if there is none."""
    return data.mnist() if path is None else data.read_images(path)


def with_sampling(
    model: trained.ImageModel, guidance: float | None, temperature: float | None
) -> trained.ImageModel:
    """The model, sampling as asked for."""
    if guidance is not None:
        model = model.with_sampling(guidance=(guidance,))
    if temperature is not None:
        model = model.with_sampling(temperature=(temperature,))
    return model


def _mask(box: tuple[int, int, int, int], size: tuple[int, int]) -> torch.Tensor:
    top, left, bottom, right = box
    if not (0 <= top < bottom <= size[0] and 0 <= left < right <= size[1]):
        raise InputError(
            f"The box {box} does not lie inside the image of {size[0]}x{size[1]} pixels."
        )
    mask = torch.zeros(size, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def check_suffix(path: Path, *known: str) -> None:
    """Refuse a file name of another kind."""
    if path.suffix not in known:
        raise InputError(
            f"Found the output file {path}, expected a name that ends in {' or '.join(known)}."
        )


def _check_shape(model: trained.ImageModel, images: torch.Tensor) -> None:
    if images.shape[1:] != model.shape:
        raise InputError(
            f"The model is for images of shape {model.shape}, found {tuple(images.shape[1:])}."
        )
