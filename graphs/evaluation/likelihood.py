"""How probable a model finds given molecules."""

import csv
import io
import logging
import math
from collections.abc import Sequence
from pathlib import Path

import torch

from graphs.datasets.molecule_files import read_records
from graphs.datasets.skipped_rows import first_line
from graphs.model import GraphModel
from refine_core.app.progress import Progress
from refine_core.errors import InputError
from refine_core.storage.files import write_text

log = logging.getLogger(__name__)

BATCH = 250


def score_file(
    model: GraphModel,
    source: Path,
    out: Path,
    *,
    column: str = "smiles",
    where: dict[str, float] | None = None,
    draws: int = 4,
    seed: int = 0,
    quiet: bool = True,
) -> tuple[int, int]:
    """Write a row for each molecule of a file: its log-probability, or why there is none.

    Args:
        model: Of molecules.
        source: A file of molecules, as `read_records` reads it.
        out: A .csv file with the columns row, molecule, log_prob and reason.
        column: Column of SMILES in .csv and .tsv files.
        where: Given values of properties, in the data's units.
        draws: Trees to average over.
        seed: Seed of these.
        quiet: Whether to show no progress.

    Returns:
        The count of molecules with a log-probability, and of all.

    Raises:
        InputError: The model's graphs are not molecules, the file cannot be read, or as of
            `GraphModel.code_log_prob`.
    """
    if not model.is_molecular:
        raise InputError("This model's graphs are not molecules, so no SMILES has a probability.")
    records = read_records(source, column)
    nats, reasons = log_probs(
        model, records.texts, where=where, draws=draws, seed=seed, quiet=quiet
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "molecule", "log_prob", "reason"])
    for number, molecule, value, reason in zip(
        records.numbers, records.texts, nats, reasons, strict=True
    ):
        shown = f"{value:.4f}" if math.isfinite(value) else ""
        writer.writerow([number, first_line(molecule), shown, reason])
    write_text(out, text.getvalue())
    return sum(map(math.isfinite, nats)), len(nats)


def log_probs(
    model: GraphModel,
    texts: Sequence[str],
    *,
    where: dict[str, float] | None = None,
    draws: int = 4,
    seed: int = 0,
    quiet: bool = True,
) -> tuple[list[float], list[str]]:
    """Log-probabilities of molecules in nats, as of `GraphModel.code_log_prob`.

    Args:
        model: Of molecules.
        texts: n SMILES or mol blocks; of a salt, a model whose graphs are connected takes the
            largest piece, and a warning counts such.
        where: Given values of properties, in the data's units.
        draws: Trees to average over.
        seed: Seed of these.
        quiet: Whether to show no progress.

    Returns:
        n numbers, NaN where there is none, and n reasons, empty where there is one.

    Raises:
        InputError: The model does not know a property, or a value is out of its range.

    >>> import graphs
    >>> nats, reasons = graphs.log_probs(graphs.load("qm9"), ["CCO", "C[Si]C", "CCO)"])
    >>> nats[0] < 0, nats[1:], reasons
    (True, [nan, nan], ['', 'it has a radical', 'it is not a SMILES'])
    """
    from graphs.chem import ParseOptions, collect_molecules, parse_options

    # Salts are cut down as those were from which the model has learnt, if there were any.
    connected, largest = model.statistics.connected, model.statistics.largest
    options = ParseOptions(largest_fragment=model.config.data.largest_fragment or connected)
    limit = options.limit if largest is None else largest
    reading = parse_options(model.vocabulary, limit, options)
    found = collect_molecules(texts, reading, quiet=quiet)
    for what, count in found.store.report["dropped"].items():
        log.warning("%s dropped from %d molecules", what, count)
    nats, reasons = [math.nan] * len(texts), [""] * len(texts)
    for place, reason in found.skipped:
        reasons[place] = reason
    with Progress("log-probabilities", len(found.places), quiet=quiet) as progress:
        for index in torch.arange(len(found.places)).split(BATCH):
            (graphs,) = found.store[index]
            values = model.code_log_prob(
                graphs, seed=seed, draws=draws, where=where, first=int(index[0])
            )
            for place, value in zip(found.places[index.numpy()], values.tolist(), strict=True):
                nats[place] = value if math.isfinite(value) else math.nan
                reasons[place] = "" if math.isfinite(value) else "the model cannot make it"
            progress.update(int(index[-1]) + 1)
    return nats, reasons
