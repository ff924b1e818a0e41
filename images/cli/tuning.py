"""The commands that choose settings: `refine images calibrate`, `search` and `methods`."""

from pathlib import Path
from typing import Literal

from images.cli.sample import read
from images.cli.train import Weights
from images.tuning.config import MethodsConfig, SearchConfig
from refine_core.app.outputs import OutputFolder
from refine_core.app.progress import say
from refine_core.config.ranges import PositiveInt, Share
from refine_core.errors import InputError


def calibrate(
    model: str,
    source: Path | None = None,
    by: Literal["likelihood", "entropy"] = "likelihood",
    coverage: Share | None = None,
    images: PositiveInt = 2000,
    out: Weights = Path("calibrated.safetensors"),
) -> None:
    """Choose the temperature and top-k of each scale on images kept from training.

    Args:
        model: A shipped model's name, a run's folder or a file; trained with a `holdout`.
        source: Images by path; by default MNIST.
        by: likelihood: the most likely temperature; entropy: samples as uncertain as data are
            surprising.
        coverage: Share of held-out codes that each scale's top-k keeps; by default all are kept.
        images: At most that many held-out images are used.
        out: The calibrated model.
    """
    from images.model import load
    from images.tuning.calibration import calibrate

    loaded = load(model)
    held_out = read(source).split(loaded.config.holdout)[1]
    if not len(held_out):
        raise InputError(
            f"{model} was trained on all training images, and none are left to calibrate on: "
            "train it with `--holdout 5000`."
        )
    calibrated = calibrate(loaded, held_out[:images], by=by, coverage=coverage)
    calibrated.save(out)
    sampling = calibrated.config.sampling
    print(f"{out}: temperature {sampling.temperature}, top_k {sampling.top_k}")


def search(config: SearchConfig, out: OutputFolder = Path("runs/search")) -> None:
    """Search for the settings that sample best, under a budget, on training images only.

    Args:
        config: The settings, values to try and the budget.
        out: Folder for trials, runs and the best config; finished trials are not made again.
    """
    from images.evaluation.classifier import load_evaluator
    from images.tuning.search import search

    trial = search(config, read(config.base.data), load_evaluator(), out, say=say)
    print(f"{out / 'best.yaml'}: score {trial.score:.4g}, {dict(trial.settings)}")


def methods(config: MethodsConfig, out: OutputFolder = Path("runs/methods")) -> None:
    """Compare methods, off and on, over seeds: a table of distances, bits and cost.

    Args:
        config: What is compared.
        out: Folder for the table, results and runs; finished ones are not made again.
    """
    from images.evaluation.classifier import load_evaluator
    from images.tuning.comparison import compare
    from images.tuning.report import markdown
    from refine_core.app.report import write_report

    rows = compare(config, read(config.base.data), load_evaluator(), out)
    text = markdown(config, rows)
    write_report(out / "REPORT.md", "# Methods, off and on", text)
    print(text)
    print(f"report: {out / 'REPORT.md'}")
