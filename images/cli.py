"""The command `refine images`."""

from pathlib import Path

import torch
from rich.console import Console

from images import data, evaluator, pictures, trained
from images.config import ImagesConfig
from images.evaluate import evaluate as measure
from images.evaluate import markdown
from images.experiments import AblationConfig
from images.experiments import ablate as run_ablation
from images.train import train as run_training
from refine_core.cli import arguments, commands
from refine_core.config import parse
from refine_core.errors import InputError

_say = Console(stderr=True, highlight=False).print


def main(argv: list[str]) -> None:
    """Run `refine images`."""
    table = {
        "train": train,
        "sample": sample,
        "edit": edit,
        "evaluate": evaluate,
        "ablate": ablate,
        "train-evaluator": train_evaluator,
        "demo": demo,
    }
    commands("refine images", table, argv)


def train(argv: list[str]) -> None:
    """Train a tokeniser and a generator from a config; goes on where it was stopped."""
    config = parse(ImagesConfig, argv, prog="refine images train")
    folder = Path("runs") / config.name
    run_training(config, _images(config.data))
    for part in ("tokenizer", "generator"):
        pictures.save_curves(folder / part, folder / part / "curves.png")
    print(f"model: {folder / 'model.safetensors'}")


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
        loaded = _sampling(trained.load(model), guidance, temperature)
        _check_suffix(out, ".png", ".npz")
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
            raise InputError("Give either --box TOP LEFT BOTTOM RIGHT or --keep_scales N.")
        _check_suffix(out, ".png", ".npz")
        loaded, originals = trained.load(model), _images(source).test.images[:count]
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
            pictures.save_grid(
                both, out, len(originals), "original and edited", ["original", "edited"]
            )
        print(out)

    arguments(run, argv, "refine images edit")


def evaluate(argv: list[str]) -> None:
    """Measure a model on its test set: a table, metrics.json and pictures."""

    def run(
        model: str = "mnist",
        source: Path | None = None,
        samples: int = 10_000,
        seed: int = 0,
        guidance: float | None = None,
        temperature: float | None = None,
        judge: Path | None = None,
        out: Path = Path("evaluation"),
    ) -> None:
        """Measure a model.

        Args:
            model: A shipped model's name, a run's folder or a file.
            source: Images by path; by default MNIST.
            samples: How many images to draw and compare.
            seed: Of the draw.
            guidance: Weight of classifier-free guidance at every scale; by default the model's.
            temperature: Of every scale; by default the model's.
            judge: Weights of `refine images train-evaluator`; by default the shipped ones, for
                MNIST.
            out: Folder for the report.
        """
        loaded = _sampling(trained.load(model), guidance, temperature)
        images, judging = _images(source), evaluator.load(judge)
        report = measure(loaded, images, out, samples=samples, seed=seed, judge=judging, say=_say)
        print(markdown(report))
        print(f"report and pictures: {out}")

    arguments(run, argv, "refine images evaluate")


def train_evaluator(argv: list[str]) -> None:
    """Train the classifier whose features the Frechet distance is taken in."""

    def run(
        source: Path | None = None, seed: int = 0, out: Path = Path("evaluator.safetensors")
    ) -> None:
        """Train an evaluator.

        Args:
            source: Labelled images by path; by default MNIST.
            seed: Of weights, order and shifts.
            out: The file to write.
        """
        _check_suffix(out, ".safetensors")
        images = _images(source)
        made = evaluator.train(images, out, seed=seed)
        print(f"{out}: test accuracy {made.accuracy(images.test):.2%}, sha256 {made.digest}")

    arguments(run, argv, "refine images train-evaluator")


def ablate(argv: list[str]) -> None:
    """Replicate the paper's Tables 1 to 4 with floors, spreads and verdicts."""
    out = Path("runs/ablation")
    if "--out" in argv:
        place = argv.index("--out")
        if place + 1 == len(argv):
            raise InputError("Found --out without a value, expected a folder.")
        out, argv = Path(argv[place + 1]), argv[:place] + argv[place + 2 :]
    config = parse(AblationConfig, argv, prog="refine images ablate [--out FOLDER]")
    run_ablation(config, data.mnist(), out)
    print(f"report and plots: {out}")


def demo(argv: list[str]) -> None:
    """Show it all on real MNIST: the ablation preset, samples, a filmstrip and an evaluation."""

    def run(
        out: Path = Path("runs/demo/images"),
        preset: Path = Path("configs/images/paper_quick.yaml"),
    ) -> None:
        """Run the demo.

        Args:
            out: Folder for reports and pictures.
            preset: Config of the ablation.
        """
        ablate(["--config", str(preset), "--out", str(out / "ablation")])
        report = measure(
            trained.load("mnist"), data.mnist(), out / "model", samples=2000, say=_say
        )
        print(markdown(report))
        for path in sorted(out.rglob("*.png")):
            print(f"picture: {path}")

    arguments(run, argv, "refine images demo")


def _images(path: Path | None) -> data.Images:
    return data.mnist() if path is None else data.read_images(path)


def _sampling(
    model: trained.ImageModel, guidance: float | None, temperature: float | None
) -> trained.ImageModel:
    given = {"guidance": guidance, "temperature": temperature}
    return model.with_sampling(
        **{name: (value,) for name, value in given.items() if value is not None}
    )


def _mask(box: tuple[int, int, int, int], size: tuple[int, int]) -> torch.Tensor:
    top, left, bottom, right = box
    if not (0 <= top < bottom <= size[0] and 0 <= left < right <= size[1]):
        raise InputError(
            f"The box {box} does not lie inside the image of {size[0]}x{size[1]} pixels."
        )
    mask = torch.zeros(size, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def _check_suffix(path: Path, *known: str) -> None:
    if path.suffix not in known:
        raise InputError(
            f"Found the output file {path}, expected a name that ends in {' or '.join(known)}."
        )


def _check_shape(model: trained.ImageModel, images: torch.Tensor) -> None:
    if images.shape[1:] != model.shape:
        raise InputError(
            f"The model is for images of shape {model.shape}, found {tuple(images.shape[1:])}."
        )
