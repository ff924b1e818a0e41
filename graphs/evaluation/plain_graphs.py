"""Metrics of a model of graphs that are not molecules."""

from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.data.convert_networkx import to_networkx
from graphs.data.store import GraphStore
from graphs.datasets.random_families import FAMILIES
from graphs.datasets.splits import Splits
from graphs.evaluation.pictures import plot_graphs
from graphs.metrics.plain_graphs import Kind, evaluate_graphs
from graphs.model import GraphModel
from refine_core.app.progress import Say

PROTOCOL = ("planar", "tree", "sbm")
"""Families on which distances are published for 128 training and 40 test graphs (SPECTRE,
Martinkus et al. 2022). Distances between few graphs are biased upwards, the fewer the more, so
ours are measured on as many; a model may have been trained on more."""
TRAIN, TEST = 128, 40
ROW = 6  # graphs in a row of the picture


def graph_metrics(
    model: GraphModel,
    graphs: GraphBatch,
    parts: Splits,
    out: Path,
    held_out: int | None,
    say: Say,
) -> dict[str, float]:
    """Return the metrics of sampled graphs, and plot them beside training graphs.

    Undirected graphs have those of `graphs.metrics.plain_graphs`, directed ones those of
    `graphs.metrics.plain.digraphs`.

    Args:
        model: The model.
        graphs: Sampled from it.
        parts: The model's data.
        out: Folder for samples.png.
        held_out: How many test graphs to compare with; None for all, or as many as published.
        say: Receives a line about each stage.
    """
    if model.vocabulary.directed:
        return _digraph_metrics(model, graphs, parts, out, held_out)
    source = model.config.data.source
    published = source in PROTOCOL
    train = _all(parts.train)
    metrics = evaluate_graphs(
        graphs,
        train,
        parts.test[spaced(len(parts.test), held_out or (TEST if published else None))][0],
        _kind(source),
        reference=train[:TRAIN] if published else None,
        say=say,
    )
    say("plotting graphs")
    rows = (("generated", graphs[:ROW]), ("", graphs[ROW : 2 * ROW]), ("training", train[:ROW]))
    plot_graphs([(title, to_networkx(row)) for title, row in rows], out / "samples.png")
    return metrics


def _kind(source: str) -> Kind | None:
    """The kind whose validity is checked, if the data are a family that has one."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    return next((kind for kind in kinds if kind == source and source in FAMILIES), None)


def _digraph_metrics(
    model: GraphModel, graphs: GraphBatch, parts: Splits, out: Path, held_out: int | None
) -> dict[str, float]:
    from graphs.metrics.plain.digraphs import evaluate_digraphs

    test = parts.test[spaced(len(parts.test), held_out)][0]
    generated, train, unseen = (
        to_networkx(part, model.vocabulary) for part in (graphs, _all(parts.train), test)
    )
    metrics = evaluate_digraphs(generated, train, unseen)
    rows = [
        ("generated", generated[:ROW]),
        ("", generated[ROW : 2 * ROW]),
        ("training", train[:ROW]),
    ]
    plot_graphs(rows, out / "samples.png")
    return metrics


def spaced(count: int, wanted: int | None) -> Tensor:
    """(min(count, wanted),) indices into `count` graphs, evenly spaced."""
    number = count if wanted is None else min(count, wanted)
    return torch.arange(number) * count // max(number, 1)


def _all(store: GraphStore) -> GraphBatch:
    graphs: GraphBatch = store[torch.arange(len(store))][0]
    return graphs
