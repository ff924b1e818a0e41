"""The commands that measure: `refine images evaluate` and `refine images ablate`."""

from pathlib import Path

from images.cli.sample import read, with_sampling
from images.experiments.config import AblationConfig
from refine_core.app.outputs import OutputFolder
from refine_core.app.progress import say
from refine_core.config.ranges import NonNegativeFloat, PositiveInt


def evaluate(
    model: str = "mnist",
    source: Path | None = None,
    samples: PositiveInt = 10_000,
    seed: int = 0,
    guidance: float | None = None,
    temperature: NonNegativeFloat | None = None,
    judge: Path | None = None,
    out: OutputFolder = Path("evaluation"),
) -> None:
    """Measure a model on its test set: a table, metrics.json, report.html and pictures.

    Args:
        model: A shipped model's name, a run's folder or a file.
        source: Images by path; by default MNIST.
        samples: How many images to sample and compare.
        seed: Seed of the samples.
        guidance: Weight of classifier-free guidance at every scale; by default the model's.
        temperature: Temperature of every scale; by default the model's.
        judge: Weights of `refine images train-evaluator`; by default the shipped ones, for MNIST.
        out: Folder for the report.
    """
    from images.evaluation.classifier import load_evaluator
    from images.evaluation.report import evaluate, markdown
    from images.model import load

    loaded = with_sampling(load(model), guidance, temperature)
    images, judging = read(source), load_evaluator(judge)
    report = evaluate(loaded, images, out, samples=samples, seed=seed, judge=judging, say=say)
    print(markdown(report))
    print(f"report and pictures: {out}")


def ablate(config: AblationConfig, out: OutputFolder = Path("runs/ablation")) -> None:
    """Replicate the paper's Tables 1 to 4, with lower bounds of the error, spreads and verdicts.

    Args:
        config: What to run.
        out: Folder for the report and plots; finished runs in it are not run again.
    """
    from images.data.load import mnist
    from images.experiments.ablation import ablate

    ablate(config, mnist(), out)
    print(f"report and plots: {out}")
