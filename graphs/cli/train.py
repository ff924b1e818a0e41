"""The commands on data: `refine graphs describe`, and `train`."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from graphs.config import GraphsConfig
from graphs.datasets.config import DataConfig
from refine_core.app.outputs import output_file, run_folder
from refine_core.app.processes.ranks import trains
from refine_core.app.processes.workers import Workers
from refine_core.app.progress import say
from refine_core.config.ranges import Duration, PositiveInt, seconds
from refine_core.errors import InputError, suggest
from refine_core.storage.files import write_text
from refine_core.storage.lock import is_first

OVERFITTED = 1.15
"""Bits of graphs held out over those of training graphs, from which on a model is overfitted."""
FEW_STEPS = 1000


@trains
def train(config: GraphsConfig, time: Duration | None = None) -> None:
    """Train a generator from a config; goes on where it was stopped.

    Args:
        config: Config of data, model and training.
        time: About how long to train, such as 90s, 10m or 2h, in place of a number of epochs;
            reading the data comes on top.
    """
    from graphs.training import train

    folder = Path("runs") / config.name
    _check_source(config.data.source)
    with run_folder(folder):
        train(config, seconds=seconds(time) if time else None)
    if not is_first():
        return
    for line in closing(json.loads((folder / "metrics.json").read_text())):
        print(line)
    print(f"model: {folder / 'model.safetensors'}")
    print(f"measure it: refine graphs evaluate --model {folder} --count 1000")


def fit_energy(
    model: str,
    count: PositiveInt = 100_000,
    seed: int = 0,
    workers: Workers = "auto",
    out: Annotated[Path, output_file(".safetensors")] = Path("energy.safetensors"),
) -> None:
    """Fit a residual energy: what tells training graphs from samples, which makes up for it.

    Args:
        model: A shipped model's name, a run's folder or a file.
        count: Samples and training graphs, at most.
        seed: Seed of the samples, and of which training graphs are taken.
        workers: Processes that share the drawing.
        out: The model with its residual energy.
    """
    from graphs.energy_training import with_energy
    from graphs.model import load

    found = with_energy(load(model), count, seed=seed, workers=workers, say=say, quiet=False)
    found.save(out)
    print(f"{out}: one of {found.config.sampling.particles:g} draws is kept")


def closing(history: Sequence[Mapping[str, float | None]]) -> Iterator[str]:
    """Lines on how good a training ended, by the rows of its metrics."""
    last = history[-1]
    learnt, held_out = last.get("bits"), last.get("validation_bits")
    if learnt and held_out:
        yield f"bits of a graph: {held_out:.4g} held out, {learnt:.4g} learnt from"
        if held_out > OVERFITTED * learnt:
            yield (
                "it has learnt some graphs by heart: more graphs would help, fewer epochs, or "
                "--model.start-from another model"
            )
    if outside := last.get("validation_outside"):
        yield f"graphs held out that it cannot sample: {outside:.1%}, for parts are too rare"
    if (valid := last.get("valid")) is not None:
        yield f"molecules: {valid:.1%} valid, {last.get('unique') or 0:.1%} of these unique"
    if (steps := last["step"] or 0) < FEW_STEPS:
        yield f"{steps} steps are few: a model of molecules wants some {FEW_STEPS}, better more"


def describe(
    source: str, column: str = "smiles", out: Annotated[Path | None, output_file()] = None
) -> None:
    """Say what a data set holds: labels, fragments, what is rare, what was skipped or lost.

    Args:
        source: As in a config: qm9, moses, a generator's name, or a path.
        column: Column of a .csv file that holds the SMILES.
        out: A text file to write it to as well.
    """
    from graphs.datasets.description import description
    from graphs.datasets.load import load_splits

    _check_source(source)
    parts = load_splits(DataConfig(source=source, column=column))
    options = f"--data.source {shlex.quote(source)}"
    if column != DataConfig().column:
        options += f" --data.column {shlex.quote(column)}"
    text = "\n".join([source, *description(parts, options)])
    print(text)
    if out is not None:
        write_text(out, text + "\n")


def _check_source(source: str) -> None:
    """Refuse a source that is neither a name nor a path.

    Raises:
        InputError: It is neither.
    """
    from graphs.datasets.random_families import FAMILIES

    names = ("qm9", "moses", *FAMILIES)
    if source not in names and not Path(source).exists():
        raise InputError(
            f"{source} is not a file, a folder or one of {', '.join(names)}: give one of these."
            f"{suggest(source, names)}"
        )
