"""The commands `refine graphs evaluate-properties` and `evaluate-scaffolds`."""

from pathlib import Path

from graphs import model as trained
from graphs.cli.sample import wanted
from graphs.evaluation.properties import measure_properties
from graphs.evaluation.scaffolds import measure_scaffolds
from refine_core.app.options import arguments
from refine_core.app.progress import say
from refine_core.app.report import table


def evaluate_properties(argv: list[str]) -> None:
    """Measure how near samples come to the properties asked for."""

    def run(
        model: str,
        targets: tuple[str, ...] = (),
        guidance: tuple[float, ...] = (0.0, 1.0, 2.0),
        count: int = 1000,
        seed: int = 0,
        out: Path = Path("evaluation"),
    ) -> None:
        """Measure the error of properties against requests.

        Args:
            model: A shipped model's name, a run's folder or a file.
            targets: Requests, each made alone, as logp=2.5 qed=0.6; by default, of logp, qed and
                what else RDKit computes, three quantiles of the training molecules.
            guidance: Weights to try.
            count: Molecules per request and weight.
            seed: Of the draws.
            out: Folder for the report.
        """
        pairs = [pair for text in targets for pair in (wanted((text,)) or {}).items()]
        rows = measure_properties(
            trained.load(model),
            out,
            targets=pairs,
            guidance=guidance,
            count=count,
            seed=seed,
            say=say,
        )
        print(table(rows[0], rows))
        print(f"report: {out}")

    arguments(run, argv, "refine graphs evaluate-properties")


def evaluate_scaffolds(argv: list[str]) -> None:
    """Measure what extending scaffolds costs in validity, variety and time."""

    def run(
        model: str,
        scaffolds: tuple[str, ...] = ("c1ccccc1", "C1CO1", "c1cc[nH]c1", "C#N", "CC(=O)N"),
        particles: tuple[int, ...] = (1, 8),
        count: int = 200,
        seed: int = 0,
        out: Path = Path("evaluation"),
    ) -> None:
        """Measure the extension of scaffolds.

        Args:
            model: A shipped model's name, a run's folder or a file.
            scaffolds: SMILES.
            particles: Counts to try: draws of which one is kept.
            count: Molecules per scaffold and count of particles.
            seed: Of the draws.
            out: Folder for the report.
        """
        rows = measure_scaffolds(
            trained.load(model),
            out,
            scaffolds,
            particles=particles,
            count=count,
            seed=seed,
            say=say,
        )
        print(table(rows[0], rows))
        print(f"report: {out}")

    arguments(run, argv, "refine graphs evaluate-scaffolds")
