"""The command `refine images`."""

from pathlib import Path

from images import model as trained
from images.cli.draw import check_suffix, edit, read, sample, with_sampling
from images.config import ImagesConfig
from images.data import load as data
from images.evaluation import plots as pictures
from images.evaluation.classifier import load_evaluator
from images.evaluation.classifier import train_evaluator as run_evaluator_training
from images.evaluation.report import evaluate as measure
from images.evaluation.report import markdown
from images.evaluation.tuning import save_candidates
from images.evaluation.tuning import tune as choose
from images.experiments import AblationConfig
from images.experiments import ablate as run_ablation
from images.training import train as run_training
from refine_core.app.cli import commands
from refine_core.app.options import arguments, parse
from refine_core.app.progress import say
from refine_core.errors import InputError


def main(argv: list[str]) -> None:
    """Run `refine images`."""
    table = {
        "train": train,
        "sample": sample,
        "edit": edit,
        "tune": tune,
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
    run_training(config, read(config.data))
    for part in ("tokenizer", "generator"):
        pictures.plot_curves(folder / part, folder / part / "curves.png")
    print(f"model: {folder / 'model.safetensors'}")


def tune(argv: list[str]) -> None:
    """Choose how to sample on training images, and write the tuned model."""

    def run(
        model: str,
        source: Path | None = None,
        guidance: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0),
        temperature: tuple[float, ...] = (1.0,),
        power: tuple[float, ...] = (0.0, 2.0),
        samples: int = 3000,
        judge: Path | None = None,
        out: Path = Path("tuned.safetensors"),
    ) -> None:
        """Tune how a model samples.

        Args:
            model: A shipped model's name, a run's folder or a file.
            source: Images by path; by default MNIST.
            guidance: Weights of the finest scale to try.
            temperature: Temperatures to try.
            power: How guidance rises with the scale, as (k / (K - 1)) ** power.
            samples: Images drawn for each combination.
            judge: Weights of `refine images train-evaluator`; by default the shipped ones.
            out: The tuned model; what was measured goes beside it, as .json.
        """
        check_suffix(out, ".safetensors")
        tuned, candidates = choose(
            trained.load(model),
            read(source),
            load_evaluator(judge),
            guidance=guidance,
            temperature=temperature,
            power=power,
            samples=samples,
            say=say,
        )
        tuned.save(out)
        save_candidates(candidates, out.with_suffix(".json"))
        sampling = tuned.config.sampling
        print(f"{out}: guidance {sampling.guidance}, temperature {sampling.temperature}")

    arguments(run, argv, "refine images tune")


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
        loaded = with_sampling(trained.load(model), guidance, temperature)
        images, judging = read(source), load_evaluator(judge)
        report = measure(loaded, images, out, samples=samples, seed=seed, judge=judging, say=say)
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
        check_suffix(out, ".safetensors")
        images = read(source)
        made = run_evaluator_training(images, out, seed=seed)
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
        report = measure(trained.load("mnist"), data.mnist(), out / "model", samples=2000, say=say)
        print(markdown(report))
        for path in sorted(out.rglob("*.png")):
            print(f"picture: {path}")

    arguments(run, argv, "refine images demo")
