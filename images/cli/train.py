"""The commands that make a model: `refine images train`, `distil`, `tune`, `train-evaluator`."""

from pathlib import Path
from typing import Annotated

from images.cli.sample import read
from images.config import DistillationConfig, ImagesConfig
from refine_core.app.outputs import output_file, run_folder
from refine_core.app.processes.ranks import trains
from refine_core.app.progress import say
from refine_core.config.ranges import Duration, NonNegativeFloat, OneOrMore, PositiveInt, seconds
from refine_core.storage.lock import is_first

Weights = Annotated[Path, output_file(".safetensors")]


@trains
def train(config: ImagesConfig, time: Duration | None = None) -> None:
    """Train a tokeniser and a generator from a config; goes on where it was stopped.

    Args:
        config: Config of data, tokeniser and generator.
        time: About how long to train each of these, such as 90s, 10m or 2h, in place of numbers of
            epochs.
    """
    from images.evaluation.plots import plot_curves
    from images.training import train

    folder = Path("runs") / config.name
    with run_folder(folder):
        train(config, read(config.data), seconds=seconds(time) if time else None)
        for part in ("tokenizer", "generator") if is_first() else ():
            plot_curves(folder / part, folder / part / "curves.png")
    if is_first():
        print(f"model: {folder / 'model.safetensors'}")


@trains
def distil(config: DistillationConfig) -> None:
    """Train a student of a model that needs fewer network calls; goes on where it was stopped.

    Args:
        config: Config of the model, the student and its training.
    """
    from images.distillation import distil
    from images.model import load

    folder = Path("runs") / config.name
    with run_folder(folder):
        distil(load(config.model), config, read(config.data))
    if is_first():
        print(f"model: {folder / 'model.safetensors'}")


def tune(
    model: str,
    source: Path | None = None,
    guidance: OneOrMore[float] = (0.5, 1.0, 2.0, 3.0),
    temperature: OneOrMore[NonNegativeFloat] = (1.0,),
    power: OneOrMore[float] = (0.0, 2.0),
    samples: PositiveInt = 3000,
    judge: Path | None = None,
    out: Weights = Path("tuned.safetensors"),
) -> None:
    """Choose how to sample on training images, and write the tuned model.

    Args:
        model: A shipped model's name, a run's folder or a file.
        source: Images by path; by default MNIST.
        guidance: Weights of the finest scale to try.
        temperature: Temperatures to try.
        power: How guidance rises with the scale, as (k / (K - 1)) ** power.
        samples: Images sampled for each combination.
        judge: Weights of `refine images train-evaluator`; by default the shipped ones.
        out: The tuned model; what was measured goes beside it, as .json.
    """
    from images.evaluation.classifier import load_evaluator
    from images.evaluation.tuning import save_candidates, tune
    from images.model import load

    tuned, candidates = tune(
        load(model),
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


def train_evaluator(
    source: Path | None = None, seed: int = 0, out: Weights = Path("evaluator.safetensors")
) -> None:
    """Train the classifier whose features the Frechet distance is taken in.

    Args:
        source: Labelled images by path; by default MNIST.
        seed: Seed of weights, order and shifts.
        out: The file to write.
    """
    from images.evaluation.classifier import train_evaluator

    images = read(source)
    made = train_evaluator(images, out, seed=seed)
    print(f"{out}: test accuracy {made.accuracy(images.test):.2%}, sha256 {made.digest}")
