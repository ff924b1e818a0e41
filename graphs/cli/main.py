"""The command `refine graphs`."""

import logging
from pathlib import Path
from typing import Literal

import torch

from graphs import model as trained
from graphs.cli.compare import compare
from graphs.cli.conditional import evaluate_properties, evaluate_scaffolds
from graphs.cli.demo import demo
from graphs.cli.sample import sample
from graphs.config import DataConfig, GraphsConfig
from graphs.datasets.load import splits
from graphs.datasets.random_families import FAMILIES
from graphs.evaluation.equivariance import check_equivariance
from graphs.evaluation.report import evaluate as measure
from graphs.evaluation.report import markdown
from graphs.train import train as run_training
from refine_core.app.cli import commands
from refine_core.app.options import arguments, parse
from refine_core.app.progress import say
from refine_core.errors import InputError, suggest
from refine_core.storage.files import write_text


def main(argv: list[str]) -> None:
    """Run `refine graphs`."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    table = {
        "train": train,
        "sample": sample,
        "evaluate": evaluate,
        "compare": compare,
        "evaluate-properties": evaluate_properties,
        "evaluate-scaffolds": evaluate_scaffolds,
        "invariance": invariance,
        "describe": describe,
        "demo": demo,
    }
    commands("refine graphs", table, argv)


def train(argv: list[str]) -> None:
    """Train a generator from a config; goes on where it was stopped."""
    config = parse(GraphsConfig, argv, prog="refine graphs train")
    _known(config.data.source)
    run_training(config)
    print(f"model: {Path('runs') / config.name / 'model.safetensors'}")


def evaluate(argv: list[str]) -> None:
    """Measure a model against held-out graphs: a table, metrics.json and a picture."""

    def run(
        model: str,
        count: int = 10_000,
        seed: int = 0,
        parallel: Literal["one", "independent", "all"] | None = None,
        temperature: float | None = None,
        held_out: int | None = None,
        samples: Path | None = None,
        out: Path = Path("evaluation"),
    ) -> None:
        """Measure a model.

        Args:
            model: A shipped model's name, a run's folder or a file.
            count: Graphs to draw.
            seed: Of the draw.
            parallel: Clusters that split in one call; by default the model's.
            temperature: By default the model's.
            held_out: Test graphs to compare with; by default all, of planar, tree and sbm 40.
            samples: A .smi file of molecules to score in place of drawing any.
            out: Folder for the report.
        """
        report = measure(
            trained.load(model),
            out,
            count=count,
            seed=seed,
            parallel=parallel,
            temperature=temperature,
            held_out=held_out,
            samples=samples,
            say=say,
        )
        print(markdown(report))
        print(f"report: {out}")

    arguments(run, argv, "refine graphs evaluate")


def invariance(argv: list[str]) -> None:
    """Prove that no node order leaks: a table of errors and p-values; exit code 1 on failure."""

    def run(model: str, draws: int = 2000, seed: int = 0) -> None:
        """Check a model.

        Args:
            model: A shipped model's name, a run's folder or a file.
            draws: Graphs to draw for the test of the sampler's law.
            seed: Of relabellings and draws.
        """
        if not check_equivariance(trained.load(model), draws=draws, seed=seed):
            raise SystemExit(1)

    arguments(run, argv, "refine graphs invariance")


def describe(argv: list[str]) -> None:
    """Say what a data set holds: labels, sizes, properties, what was skipped."""

    def run(source: str, column: str = "smiles", out: Path | None = None) -> None:
        """Describe a data set.

        Args:
            source: As in a config: qm9, moses, a generator's name, or a path.
            column: Of a .csv file: where the SMILES are.
            out: Also write it there.
        """
        _known(source)
        parts = splits(DataConfig(source=source, column=column))
        lines = [f"{source}"]
        for name in ("train", "validation", "test"):
            store = getattr(parts, name)
            sizes = store.sizes.float()
            low, mean, high = int(sizes.min()), float(sizes.mean()), int(sizes.max())
            lines.append(f"{name}: {len(store)} graphs of {low} to {high} nodes, mean {mean:.1f}")
        (first,) = parts.train[torch.arange(min(10_000, len(parts.train)))]
        vocabulary = parts.train.vocabulary
        if vocabulary.directed:
            lines.append("directed: > is an arc away, < one towards, = one each way")
        lines.append(f"node labels: {', '.join(vocabulary.nodes) or 'none'}")
        lines.append(f"edge labels: {', '.join(vocabulary.edges) or 'none'}")
        degree = (first.edges > 0).sum(2)[first.valid].float()
        lines.append(f"mean degree: {float(degree.mean()):.2f}, largest {int(degree.max())}")
        lines.append(f"properties: {', '.join(parts.train.properties) or 'none'}")
        lines += [f"{key}: {value}" for key, value in parts.train.report.items()]
        print("\n".join(lines))
        if out is not None:
            write_text(out, "\n".join(lines) + "\n")

    arguments(run, argv, "refine graphs describe")


def _known(source: str) -> None:
    """Refuse a source that is neither a name nor a path.

    Raises:
        InputError: It is neither.
    """
    names = ("qm9", "moses", *FAMILIES)
    if source not in names and not Path(source).exists():
        raise InputError(
            f"{source} is not a file, a folder or one of {', '.join(names)}: give one of these."
            f"{suggest(source, names)}"
        )
