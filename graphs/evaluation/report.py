"""The report on a trained model: metrics.json, REPORT.md, report.html and pictures."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from graphs.datasets.load import load_splits
from graphs.datasets.splits import Splits
from graphs.evaluation.html_report import metrics_page, molecule_section, picture_section
from graphs.evaluation.molecules import molecule_metrics, read_smiles
from graphs.evaluation.network_calls import CallCounter
from graphs.evaluation.plain_graphs import graph_metrics
from graphs.model import GraphModel
from refine_core.app.html import write_page
from refine_core.app.progress import Say, silent
from refine_core.app.report import Column, table, write_report
from refine_core.storage.archive import default_cache
from refine_core.storage.files import finite, write_json, write_text

BATCH = 500  # graphs sampled at a time
PICTURED = 40  # molecules in the picture


def evaluate(
    model: GraphModel,
    out: Path,
    *,
    count: int = 10_000,
    seed: int = 0,
    temperature: float | None = None,
    held_out: int | None = None,
    samples: Path | None = None,
    say: Say = silent,
) -> dict[str, float]:
    """Sample graphs and compare them with training graphs and with test graphs.

    Shares and distances of molecules are those of the raw samples; under `corrected_` those after
    valency correction. The model has not been trained on test graphs. Molecules are written before
    they are scored, so that they are there whatever happens then.

    Args:
        model: The model.
        out: Folder for metrics.json, REPORT.md, report.html, samples.png, and samples.smi of
            molecules.
        count: Graphs to sample.
        seed: Seed of the samples.
        temperature: By default the model's.
        held_out: How many test graphs to compare with, evenly spaced; by default all, for the
            families of `graphs.evaluation.plain_graphs.PROTOCOL` as many as published.
        samples: A .smi file of molecules to score in place of sampling; a line that RDKit refuses
            is an invalid one. Count, seed and temperature are then ignored; cost,
            stability and `corrected_`, which need sampled graphs, are left out.
        say: Receives a line about each stage.

    Returns:
        The metrics of `graphs.metrics`, with `calls`, the network's mean calls that a graph takes
        part in, those of draws that are drawn again included (a batch makes as many as its deepest
        graph), and `cpu_ms_per_graph`, sampling and decoding, RDKit included. Stability is NaN
        where it is not defined, because an element is not in its table, and REPORT.md says why.

    Raises:
        InputError: The data cannot be used, see `graphs.datasets.load.load_splits`, or differ from
            those that the model was trained on; `samples` is not a file of SMILES, or the model's
            graphs are not molecules.
    """
    listed = None if samples is None else read_smiles(model, samples)
    parts = load_splits(model.config.data, seed=model.config.seed)
    model.check_data(parts)
    if listed is not None:
        metrics, note = molecule_metrics(model, listed, None, parts, held_out, say)
        return _write(model, parts, metrics, note, listed, out, say)
    say(f"sampling {count} graphs")
    with CallCounter(model) as counter:
        started = time.process_time()
        graphs = model.sample(count, seed=seed, temperature=temperature, batch=BATCH, workers=1)
        smiles = model.smiles(graphs) if model.is_molecular else []
        seconds = time.process_time() - started
    if model.is_molecular:
        write_text(out / "samples.smi", "\n".join(filter(None, smiles)) + "\n")
    cost = {"calls": counter.per_graph(count), "cpu_ms_per_graph": 1000 * seconds / count}
    if model.is_molecular:
        metrics, note = molecule_metrics(model, smiles, graphs, parts, held_out, say)
    else:
        metrics, note = graph_metrics(model, graphs, parts, out, held_out, say), ""
    return _write(model, parts, cost | metrics, note, smiles, out, say)


def markdown(metrics: Mapping[str, float]) -> str:
    """Return a table of metrics, beside what training graphs reach, and the ratio of both.

    >>> print(markdown({"valid": 0.975, "orbit": 0.04, "orbit_train": 0.02, "orbit_ratio": 2.0}))
    | metric | value | training set | ratio |
    |---|---:|---:|---:|
    | valid | 0.975 |  |  |
    | orbit | 0.04 | 0.02 | 2 |

    Args:
        metrics: Metrics of `evaluate_molecules` or `evaluate_graphs`, or part of them.
    """
    suffixes = {"training set": "_train", "ratio": "_ratio"}
    columns = [Column("metric"), Column("value", form=".5g", align="right")]
    columns += [
        Column(title, form=".5g", align="right")
        for title, suffix in suffixes.items()
        if any(name.endswith(suffix) for name in metrics)
    ]
    rows: list[dict[str, object]] = []
    for name, value in metrics.items():
        if not name.endswith(tuple(suffixes.values())):
            beside = {title: metrics.get(name + suffix) for title, suffix in suffixes.items()}
            defined = "not defined" if math.isnan(value) else value
            rows.append({"metric": name, "value": defined, **beside})
    return table(columns, rows)


def _write(
    model: GraphModel,
    parts: Splits,
    metrics: dict[str, float],
    note: str,
    smiles: Sequence[str | None],
    out: Path,
    say: Say,
) -> dict[str, float]:
    """Write the metrics, then plot molecules, if there are any, and write the page."""
    table = markdown(metrics)
    # What is not defined, such as scaffolds of molecules without rings, is NaN: null in JSON.
    write_json(out / "metrics.json", finite(metrics))
    write_report(out / "REPORT.md", table, note)
    if found := [text for text in smiles if text is not None]:
        from graphs.chem.pictures import plot_molecules

        plot_molecules(found[:PICTURED], out / "samples.png")
    say("writing report.html")
    if model.is_molecular:
        train = parts.train.text(torch.arange(len(parts.train)))
        section = molecule_section(smiles, train, default_cache(), say)
    else:
        section = picture_section(out / "samples.png")
    title = f"Samples of a model of {Path(model.config.data.source).stem}"
    table = "\n\n".join(filter(None, (table, note)))
    write_page(out / "report.html", metrics_page(title, metrics, table, [section]))
    return metrics
