"""The command `refine images`."""

from pathlib import Path

from images.cli.evaluate import ablate, evaluate
from images.cli.sample import edit, sample
from images.cli.study import study
from images.cli.train import distil, train, train_evaluator, tune
from images.cli.tuning import calibrate, methods, search
from refine_core.app.cli import Commands, commands
from refine_core.app.outputs import OutputFolder
from refine_core.app.progress import say
from refine_core.device import in_precision, on_device


def main(argv: list[str]) -> None:
    """Run `refine images`."""
    table: Commands = {
        "train": on_device(train),
        "distil": on_device(distil),
        "sample": on_device(in_precision(sample)),
        "edit": on_device(in_precision(edit)),
        "tune": on_device(tune),
        "calibrate": on_device(calibrate),
        "search": on_device(search),
        "methods": on_device(methods),
        "evaluate": on_device(in_precision(evaluate)),
        "ablate": on_device(ablate),
        "study": study,
        "train-evaluator": on_device(train_evaluator),
        "demo": on_device(demo),
    }
    commands("refine images", table, argv)


def demo(
    out: OutputFolder = Path("runs/demo/images"),
    preset: Path = Path("configs/images/paper_quick.yaml"),
    study_preset: Path = Path("configs/images/study_quick.yaml"),
) -> None:
    """Run the presets of ablation and study on MNIST, then measure the shipped model.

    Args:
        out: Folder for reports and pictures.
        preset: Config of the ablation.
        study_preset: Config of the study.
    """
    from images.data.load import mnist
    from images.evaluation.report import evaluate, markdown
    from images.experiments.config import AblationConfig
    from images.model import load
    from images.study.config import StudyConfig
    from refine_core.config.schema import load as load_config

    ablate(load_config(AblationConfig, preset), out / "ablation")
    study(load_config(StudyConfig, study_preset), out / "study")
    report = evaluate(load("mnist"), mnist(), out / "model", samples=1000, say=say)
    print(markdown(report))
    for path in sorted(out.rglob("*.png")):
        print(f"picture: {path}")
