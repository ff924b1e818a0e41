"""The commands that measure a model of graphs."""

from pathlib import Path
from typing import Annotated

from graphs.cli.sample import requested
from refine_core.app.outputs import OutputFolder, output_file
from refine_core.app.progress import say
from refine_core.app.report import table
from refine_core.config.ranges import NonNegativeFloat, OneOrMore, PositiveInt


def evaluate(
    model: str,
    count: PositiveInt = 10_000,
    seed: int = 0,
    temperature: NonNegativeFloat | None = None,
    held_out: PositiveInt | None = None,
    samples: Path | None = None,
    out: OutputFolder = Path("evaluation"),
) -> None:
    """Measure a model against held-out graphs: a table, metrics.json, report.html and a picture.

    Args:
        model: A shipped model's name, a run's folder or a file.
        count: Graphs to sample.
        seed: Seed of the samples.
        temperature: By default the model's.
        held_out: Test graphs to compare with; by default all, of planar, tree and sbm 40.
        samples: A .smi file of molecules to score, in place of samples of the model.
        out: Folder for the report.
    """
    from graphs.evaluation.report import evaluate, markdown
    from graphs.model import load

    report = evaluate(
        load(model),
        out,
        count=count,
        seed=seed,
        temperature=temperature,
        held_out=held_out,
        samples=samples,
        say=say,
    )
    print(markdown(report))
    print(f"report: {out}")


def likelihood(
    model: str,
    source: Path,
    column: str = "smiles",
    where: tuple[str, ...] = (),
    draws: PositiveInt = 4,
    seed: int = 0,
    out: Annotated[Path, output_file(".csv")] = Path("likelihood.csv"),
) -> None:
    """Write the log-probability of given molecules: a bound from below, in nats.

    Args:
        model: A shipped model's name, a run's folder or a file.
        source: A file of molecules, such as .smi or .csv.
        column: Column of a .csv file that holds the SMILES.
        where: Values that properties are given to have, in the data's units, as logp=2.5,qed=0.6.
        draws: Ways to contract a molecule, over which the mean is taken.
        seed: Seed of these.
        out: A .csv file: row, molecule, log_prob, and why there is none.
    """
    from graphs.evaluation.likelihood import score_file
    from graphs.model import load

    scored, every = score_file(
        load(model),
        source,
        out,
        column=column,
        where=requested(where, "--where") or None,
        draws=draws,
        seed=seed,
        quiet=False,
    )
    say(f"{scored} of {every} molecules have a log-probability")
    print(out)


def judge(
    files: OneOrMore[Path], count: PositiveInt = 2000, out: OutputFolder = Path("judged")
) -> None:
    """Let a package from outside judge molecules by those of ChEMBL: rings, scaffolds, alerts.

    Args:
        files: Of SMILES, such as samples of several models and molecules held out; a row each.
        count: Molecules of each file, chosen at random.
        out: Folder for the table.
    """
    from graphs.evaluation.judges import judge

    print(judge(files, out, count))
    print(f"report: {out}")


def compare(
    models: OneOrMore[str],
    calls: OneOrMore[PositiveInt] = (4, 8, 16, 32),
    temperatures: tuple[NonNegativeFloat, ...] = (),
    count: PositiveInt = 2000,
    seed: int = 0,
    out: OutputFolder = Path("comparison"),
) -> None:
    """Measure quality against network calls, for any models of molecules.

    Args:
        models: Shipped models' names, runs' folders or files.
        calls: Network calls to try, where a model leaves them free.
        temperatures: To try; by default each model's.
        count: Molecules to sample in each way.
        seed: Seed of the samples.
        out: Folder for calls.json, CALLS.md and calls.png.
    """
    from graphs.evaluation.call_curve import compare_models, curve_table
    from graphs.model import load

    points = compare_models(
        [(name, load(name)) for name in models],
        out,
        calls=calls,
        temperatures=temperatures or (None,),
        count=count,
        seed=seed,
        say=say,
    )
    print(curve_table(points))
    print(f"report: {out / 'CALLS.md'}\npicture: {out / 'calls.png'}")


def evaluate_properties(
    model: str,
    targets: tuple[str, ...] = (),
    guidance: OneOrMore[float] = (0.0, 1.0, 2.0),
    particles: tuple[PositiveInt, ...] = (),
    count: PositiveInt = 1000,
    seed: int = 0,
    out: OutputFolder = Path("evaluation"),
) -> None:
    """Measure how near samples come to the properties requested.

    Args:
        model: A shipped model's name, a run's folder or a file.
        targets: Requests, each made alone, as logp=2.5 qed=0.6; by default, of logp, qed and what
            else RDKit computes, three quantiles of the training molecules, or of samples.
        guidance: Weights to try, where the model was trained with properties.
        particles: Numbers of draws to try of which the nearest are kept, of any model; by default
            8 and 32 where the model was trained without properties.
        count: Molecules per request and weight.
        seed: Seed of the samples.
        out: Folder for the report.
    """
    from graphs.evaluation.properties import measure_properties
    from graphs.model import load

    pairs = [pair for text in targets for pair in requested((text,), "--targets").items()]
    rows = measure_properties(
        load(model),
        out,
        targets=pairs,
        guidance=guidance,
        particles=particles,
        count=count,
        seed=seed,
        say=say,
    )
    print(table(rows[0], rows))
    print(f"report: {out}")


def evaluate_scaffolds(
    model: str,
    scaffolds: OneOrMore[str] = ("c1ccccc1", "C1CO1", "c1cc[nH]c1", "C#N", "CC(=O)N"),
    particles: OneOrMore[PositiveInt] = (1, 8),
    count: PositiveInt = 200,
    seed: int = 0,
    out: OutputFolder = Path("evaluation"),
) -> None:
    """Measure what extending scaffolds costs in validity, variety and time.

    Args:
        model: A shipped model's name, a run's folder or a file.
        scaffolds: SMILES.
        particles: Numbers of particles to try: samples of which one is kept.
        count: Molecules per scaffold and number of particles.
        seed: Seed of the samples.
        out: Folder for the report.
    """
    from graphs.evaluation.scaffolds import measure_scaffolds
    from graphs.model import load

    rows = measure_scaffolds(
        load(model), out, scaffolds, particles=particles, count=count, seed=seed, say=say
    )
    print(table(rows[0], rows))
    print(f"report: {out}")


def invariance(
    model: str,
    draws: PositiveInt = 2000,
    seed: int = 0,
    out: OutputFolder = Path("invariance"),
) -> None:
    """Test that no order of nodes leaks: a table of errors and p-values; exit code 1 on failure.

    Args:
        model: A shipped model's name, a run's folder or a file.
        draws: Samples for the test of the sampler's law.
        seed: Seed of relabellings and samples.
        out: Folder for report.html.
    """
    from graphs.evaluation.equivariance import check_equivariance
    from graphs.model import load

    passed = check_equivariance(load(model), draws=draws, seed=seed, out=out)
    print(f"report: {out / 'report.html'}")
    if not passed:
        raise SystemExit(1)
