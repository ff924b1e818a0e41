"""Measuring a model: a table, metrics.json, pictures."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from graphs.data.batch import GraphBatch
from graphs.datasets.load import splits
from graphs.datasets.molecule_files import read_records
from graphs.datasets.moses import moses_filters
from graphs.evaluation.network_calls import Counter
from graphs.evaluation.plain_graphs import evaluate_generic, spaced
from graphs.evaluation.report import markdown
from graphs.generators.common.parallel import Parallel
from graphs.model import GraphModel
from refine_core.errors import InputError
from refine_core.storage.archive import default_cache
from refine_core.storage.files import write_json, write_text

Say = Callable[[str], None]
BATCH = 250  # graphs drawn at a time


def evaluate(
    model: GraphModel,
    out: Path,
    *,
    count: int = 10_000,
    seed: int = 0,
    parallel: Parallel | None = None,
    temperature: float | None = None,
    held_out: int | None = None,
    samples: Path | None = None,
    say: Say = lambda _: None,
) -> dict[str, float]:
    """Draw graphs and compare them with those the model was trained on and with held-out ones.

    Of molecules, shares and distances are those of the raw samples; under `corrected_` those
    after valency correction. The test graphs are never trained on. Molecules are written before
    they are scored, so that they are there whatever happens then.

    Args:
        model: To measure.
        out: Folder for metrics.json, REPORT.md, samples.png, and of molecules samples.smi.
        count: Graphs to draw.
        seed: Of the draw.
        parallel: Clusters that split in one call; by default the model's.
        temperature: By default the model's.
        held_out: How many of the test graphs to compare with, evenly spaced; by default all, or of
            the families of `graphs.evaluation.plain_graphs.PROTOCOL` as many as published.
        samples: A .smi file of molecules to score, a line that RDKit refuses being an invalid one;
            nothing is drawn, so count, seed, parallel and temperature mean nothing, and cost,
            stability and `corrected_`, which need drawn graphs, are left out.
        say: Receives a line about each stage.

    Returns:
        The metrics of `graphs.metrics`, with `calls`, the networks' calls for a batch, and
        `cpu_ms_per_graph`, drawing and decoding, RDKit included. A stability that cannot be told,
        as an element is not in its table, is NaN, and REPORT.md says why.

    Raises:
        InputError: The data cannot be used, see `graphs.datasets.load.splits`, or are others than
        those
            that the model was trained on; `samples` is not a file of
            SMILES, or the model's graphs are not molecules.
    """
    listed = None if samples is None else _listed(model, samples)
    parts = splits(model.config.data, seed=model.config.seed)
    if model.sizes and tuple(parts.train.sizes.bincount().tolist()) != model.sizes:
        raise InputError(
            f"{model.config.data.source} holds other graphs now than those the model was trained "
            "on, so what was held out then is not known: put the data back, or train again."
        )
    if listed is not None:
        report, note = _molecules(model, listed, None, parts, held_out, say)
        return _written(report, note, listed, out)
    say(f"drawing {count} graphs")
    with Counter(model) as counter:
        started = time.process_time()
        graphs = model.sample(
            count, seed=seed, parallel=parallel, temperature=temperature, batch=BATCH
        )
        smiles = model.smiles(graphs) if model.is_molecular else []
        seconds = time.process_time() - started
    cost: dict[str, float] = {"calls": counter.a_batch(count, BATCH)}
    cost["cpu_ms_per_graph"] = 1000 * seconds / count
    if model.is_molecular:
        write_text(out / "samples.smi", "\n".join(filter(None, smiles)) + "\n")
        report, note = _molecules(model, smiles, graphs, parts, held_out, say)
    else:
        report, note = evaluate_generic(model, graphs, parts, out, held_out, say), ""
    return _written(cost | report, note, smiles, out)


def _listed(model: GraphModel, path: Path) -> list[str | None]:
    """Canonical SMILES of a .smi file, None where RDKit refuses one."""
    if not model.is_molecular:
        raise InputError(f"Found {path}, but this model's graphs are not molecules: leave it out.")
    if path.suffix != ".smi":
        raise InputError(f"{path} ends with {path.suffix!r}: give a .smi file, a SMILES a line.")
    from graphs.chem import canonical

    return [canonical(text) for text in read_records(path).texts]


def _molecules(
    model: GraphModel,
    smiles: Sequence[str | None],
    graphs: GraphBatch | None,
    parts: Any,
    held_out: int | None,
    say: Say,
) -> tuple[dict[str, float], str]:
    """The metrics, and what a reader has to know of them."""
    from graphs.chem import corrected
    from graphs.metrics.atom_stability import stability
    from graphs.metrics.molecules import evaluate_molecules

    train = parts.train.text(torch.arange(len(parts.train)))
    test = parts.test.text(spaced(len(parts.test), held_out))
    cache, note = default_cache() / "graphs", ""
    report = evaluate_molecules(smiles, train, test, filters=_filters(model), cache=cache, say=say)
    if graphs is None:
        return report, note
    try:
        report |= stability(graphs, model.vocabulary)
    except InputError as error:
        report |= dict.fromkeys(("atom_stable", "mol_stable"), math.nan)
        note = f"No stability is given. {error}"
        say(note)
    say("correcting valencies")
    repaired = corrected(graphs, model.vocabulary)
    whole = [text for text in repaired if text is not None]
    report["corrected_valid"] = len(whole) / len(repaired)
    report["corrected_unique"] = len(set(whole)) / max(1, len(whole))
    report["corrected_novel"] = len(set(whole).difference(train)) / max(1, len(set(whole)))
    return report, note


def _written(
    report: dict[str, float], note: str, smiles: Sequence[str | None], out: Path
) -> dict[str, float]:
    """Write the report, then draw molecules, if there are any."""
    # JSON has no NaN: what is not defined, such as scaffolds of molecules without rings, is null.
    plain = {name: None if math.isnan(value) else value for name, value in report.items()}
    write_json(out / "metrics.json", plain)
    write_text(out / "REPORT.md", markdown(report) + (f"\n{note}\n" if note else ""))
    if found := [text for text in smiles if text is not None]:
        from graphs.chem.pictures import draw_grid

        draw_grid(found[:40], out / "samples.png")
    return report


def _filters(model: GraphModel) -> list[str] | None:
    """Those that the training molecules passed, if they are known."""
    return moses_filters() if model.config.data.source == "moses" else None
