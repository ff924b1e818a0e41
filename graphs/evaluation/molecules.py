"""Metrics of a model of molecules."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from graphs.data.batch import GraphBatch
from graphs.datasets.molecule_files import read_records
from graphs.datasets.moses import moses_filters
from graphs.datasets.splits import Splits
from graphs.evaluation.plain_graphs import spaced
from graphs.model import GraphModel
from refine_core.app.progress import Say
from refine_core.errors import InputError
from refine_core.storage.archive import default_cache


def read_smiles(model: GraphModel, path: Path) -> list[str | None]:
    """Canonical SMILES of a .smi file, None where RDKit refuses one.

    Raises:
        InputError: It is no such file, or the model's graphs are not molecules.
    """
    if not model.is_molecular:
        raise InputError(f"Found {path}, but this model's graphs are not molecules: leave it out.")
    if path.suffix.lower() != ".smi":
        raise InputError(f"{path} ends with {path.suffix!r}: give a .smi file, a SMILES a line.")
    from graphs.chem import canonical

    return [canonical(text) for text in read_records(path).texts]


def molecule_metrics(
    model: GraphModel,
    smiles: Sequence[str | None],
    graphs: GraphBatch | None,
    parts: Splits,
    held_out: int | None,
    say: Say,
) -> tuple[dict[str, float], str]:
    """Score samples of a model.

    Args:
        model: The model.
        smiles: Sampled molecules, None where no molecule came out.
        graphs: Sampled graphs, for stability and valency correction; None leaves these out.
        parts: The model's data.
        held_out: How many test molecules to compare with; None for all.
        say: Receives a line about each stage.

    Returns:
        The metrics by name, and a note on those that are not defined.
    """
    from graphs.metrics.molecules import evaluate_molecules

    train = parts.train.text(torch.arange(len(parts.train)))
    test = parts.test.text(spaced(len(parts.test), held_out))
    # MOSES removed molecules that do not pass its filters.
    filters = moses_filters() if model.config.data.source == "moses" else None
    new = parts.test_scaffolds
    scaffolds = None if new is None else new.text(spaced(len(new), held_out))
    metrics = evaluate_molecules(
        smiles, train, test, scaffolds=scaffolds, filters=filters, cache=default_cache(), say=say
    )
    if graphs is None:
        return metrics, ""
    stable, note = _stability(model, graphs)
    if note:
        say(note)
    say("correcting valencies")
    return metrics | stable | _corrected_metrics(model, graphs, train), note


def _stability(model: GraphModel, graphs: GraphBatch) -> tuple[dict[str, float], str]:
    """Stable shares, and why they are NaN if they are."""
    from graphs.chem import atomic
    from graphs.metrics.atom_stability import stability

    try:
        return stability(*atomic(graphs, model.vocabulary)), ""
    except InputError as error:
        undefined = dict.fromkeys(("atom_stable", "mol_stable"), math.nan)
        return undefined, f"No stability is given. {error}"


def _corrected_metrics(
    model: GraphModel, graphs: GraphBatch, train: Sequence[str]
) -> dict[str, float]:
    """Shares of valid, unique and novel molecules after valency correction."""
    from graphs.chem import corrected

    repaired = corrected(graphs, model.vocabulary)
    valid = [text for text in repaired if text is not None]
    distinct = set(valid)
    return {
        "corrected_valid": len(valid) / len(repaired),
        "corrected_unique": len(distinct) / max(1, len(valid)),
        "corrected_novel": len(distinct.difference(train)) / max(1, len(distinct)),
    }
