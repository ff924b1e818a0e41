"""Measuring a model: a table, metrics.json, pictures."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from graphs.calls import Counter
from graphs.data import splits
from graphs.evaluate_generic import evaluate_generic, spaced
from graphs.metrics.report import markdown
from graphs.moses import moses_filters
from graphs.partition import Parallel
from graphs.trained import GraphModel
from refine_core.archive import default_cache
from refine_core.files import write_json, write_text

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
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, float]:
    """Draw graphs and compare them with those the model was trained on and with held-out ones.

    Of molecules, shares and distances are those of the raw samples; under `corrected_` those
    after valency correction. The test graphs are never trained on.

    Args:
        model: To measure.
        out: Folder for metrics.json, REPORT.md, samples.png, and of molecules samples.smi.
        count: Graphs to draw.
        seed: Of the draw.
        parallel: Clusters that split in one call; by default the model's.
        temperature: By default the model's.
        held_out: How many of the test graphs to compare with, evenly spaced; by default all, or of
            the families of `graphs.evaluate_generic.PROTOCOL` as many as published.
        say: Receives a line about each stage.

    Returns:
        The metrics of `graphs.metrics`, with `calls`, the networks' calls for a batch, and
        `cpu_ms_per_graph`, drawing and decoding, RDKit included.
    """
    parts = splits(model.config.data, seed=model.config.seed)
    say(f"drawing {count} graphs")
    with Counter(model) as counter:
        started = time.process_time()
        graphs = model.sample(
            count, seed=seed, parallel=parallel, temperature=temperature, batch=BATCH
        )
        smiles = model.smiles(graphs) if model.is_molecular else []
        seconds = time.process_time() - started
    report: dict[str, float] = {"calls": counter.a_batch(count, BATCH)}
    report["cpu_ms_per_graph"] = 1000 * seconds / count
    if model.is_molecular:
        report |= _molecules(model, graphs, smiles, parts, out, held_out, say)
    else:
        report |= evaluate_generic(model, graphs, parts, out, held_out, say)
    # JSON has no NaN: what is not defined, such as scaffolds of molecules without rings, is null.
    plain = {name: None if math.isnan(value) else value for name, value in report.items()}
    write_json(out / "metrics.json", plain)
    write_text(out / "REPORT.md", markdown(report))
    return report


def _molecules(
    model: GraphModel,
    graphs: Any,
    smiles: list[str | None],
    parts: Any,
    out: Path,
    held_out: int | None,
    say: Callable[[str], None],
) -> dict[str, float]:
    from graphs.chem import corrected
    from graphs.chem.drawing import draw_grid
    from graphs.metrics.molecules import evaluate_molecules
    from graphs.metrics.stability import stability

    train = parts.train.text(torch.arange(len(parts.train)))
    test = parts.test.text(spaced(len(parts.test), held_out))
    cache = default_cache() / "graphs"
    report = evaluate_molecules(smiles, train, test, filters=_filters(model), cache=cache, say=say)
    report |= stability(graphs, model.vocabulary)
    say("correcting valencies")
    repaired = corrected(graphs, model.vocabulary)
    known = set(train)
    whole = [text for text in repaired if text is not None]
    report["corrected_valid"] = len(whole) / len(repaired)
    report["corrected_unique"] = len(set(whole)) / max(1, len(whole))
    report["corrected_novel"] = len(set(whole) - known) / max(1, len(set(whole)))
    found = [text for text in smiles if text is not None]
    write_text(out / "samples.smi", "\n".join(found) + "\n")
    draw_grid(found[:40], out / "samples.png")
    return report


def _filters(model: GraphModel) -> list[str] | None:
    """Those that the training molecules passed, if they are known."""
    return moses_filters() if model.config.data.source == "moses" else None
