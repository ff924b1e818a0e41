"""The command `refine graphs`."""

import logging
from pathlib import Path

from graphs.cli.evaluate import (
    compare,
    evaluate,
    evaluate_properties,
    evaluate_scaffolds,
    invariance,
    judge,
    likelihood,
)
from graphs.cli.sample import sample
from graphs.cli.train import describe, fit_energy, train
from refine_core.app.cli import Commands, commands
from refine_core.app.outputs import OutputFolder
from refine_core.app.processes.cluster import on_cluster
from refine_core.app.progress import say
from refine_core.config.ranges import PositiveInt
from refine_core.device import in_precision, on_device
from refine_core.errors import InputError


def main(argv: list[str]) -> None:
    """Run `refine graphs`."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    table: Commands = {
        "train": on_cluster(on_device(train)),
        "fit-energy": on_device(fit_energy),
        "sample": on_device(in_precision(sample)),
        "evaluate": on_device(in_precision(evaluate)),
        "likelihood": on_device(in_precision(likelihood)),
        "judge": judge,
        "compare": on_device(compare),
        "evaluate-properties": on_device(in_precision(evaluate_properties)),
        "evaluate-scaffolds": on_device(in_precision(evaluate_scaffolds)),
        "invariance": on_device(invariance),
        "describe": on_cluster(describe),
        "demo": on_device(demo),
    }
    commands("refine graphs", table, argv)


def demo(
    model: str = "qm9",
    count: PositiveInt = 1000,
    draws: PositiveInt = 1500,
    out: OutputFolder = Path("runs/demo/graphs"),
) -> None:
    """Sample molecules, write them, measure them, and test that no node order leaks.

    Args:
        model: A shipped model's name, a run's folder or a file.
        count: How many molecules.
        draws: Samples for the test of the sampler's law.
        out: Folder for molecules, the report and a picture.
    """
    from graphs.chem.files import write_molecules
    from graphs.chem.properties import property_values
    from graphs.evaluation.equivariance import check_equivariance
    from graphs.evaluation.report import evaluate, markdown
    from graphs.model import load

    loaded = load(model)
    if not loaded.is_molecular:
        raise InputError(
            f"The graphs of {model} are not molecules, which the demo draws: use refine graphs "
            "evaluate."
        )
    report = evaluate(loaded, out, count=count, say=say)
    print(markdown(report))
    found = (out / "samples.smi").read_text().split()
    write_molecules(found, out / "samples.sdf", property_values(found))
    if not check_equivariance(loaded, draws=draws, out=out / "invariance"):
        raise SystemExit(1)
    for name in ("samples.smi", "samples.sdf", "REPORT.md", "report.html", "samples.png"):
        print(f"{'picture' if name.endswith('png') else 'file'}: {out / name}")
