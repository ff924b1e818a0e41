"""Measuring a model of graphs that are no molecules."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.data.convert_networkx import to_networkx
from graphs.data.store import GraphStore
from graphs.datasets.random_families import FAMILIES
from graphs.evaluation.plot_graphs import draw_graphs

if TYPE_CHECKING:
    from graphs.model import GraphModel

PROTOCOL = ("planar", "tree", "sbm")
"""Families on which distances are published for 128 training and 40 test graphs (SPECTRE,
Martinkus et al. 2022). Distances between few graphs are biased upwards, the fewer the more, so
ours are measured on as many; a model may have learnt from more."""
TRAIN, TEST = 128, 40


def evaluate_generic(
    model: "GraphModel",
    graphs: GraphBatch,
    parts: Any,
    out: Path,
    held_out: int | None,
    say: Callable[[str], None],
) -> dict[str, float]:
    """Return the metrics of `graphs.metrics.plain_graphs`, and draw graphs beside training graphs.

    Of directed graphs those of `graphs.metrics.digraphs`.
    """
    from graphs.metrics.plain_graphs import VALID, evaluate_graphs

    if model.vocabulary.directed:
        return _evaluate_digraphs(model, graphs, parts, out, held_out)
    source: Any = model.config.data.source
    published = source in PROTOCOL
    train = _all(parts.train)
    report = evaluate_graphs(
        graphs,
        train,
        parts.test[spaced(len(parts.test), held_out or (TEST if published else None))][0],
        source if source in FAMILIES and source in VALID else None,
        floor=train[:TRAIN] if published else None,
        say=say,
    )
    say("drawing pictures")
    shown = [("generated", graphs[:6]), ("", graphs[6:12]), ("training", train[:6])]
    draw_graphs([(title, to_networkx(some)) for title, some in shown], out / "samples.png")
    return report


def _evaluate_digraphs(
    model: "GraphModel", graphs: GraphBatch, parts: Any, out: Path, held_out: int | None
) -> dict[str, float]:
    from graphs.metrics.digraphs import evaluate_digraphs

    test = parts.test[spaced(len(parts.test), held_out)][0]
    ours, train, held = (
        to_networkx(some, model.vocabulary) for some in (graphs, _all(parts.train), test)
    )
    report = evaluate_digraphs(ours, train, held)
    shown = [("generated", ours[:6]), ("", ours[6:12]), ("training", train[:6])]
    draw_graphs(shown, out / "samples.png")
    return report


def spaced(count: int, wanted: int | None) -> Tensor:
    """(min(count, wanted),) indices into `count` graphs, evenly spaced."""
    few = count if wanted is None else min(count, wanted)
    return torch.arange(few) * count // max(few, 1)


def _all(store: GraphStore) -> GraphBatch:
    graphs: GraphBatch = store[torch.arange(len(store))][0]
    return graphs
