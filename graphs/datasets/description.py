"""What a data set holds, in words, for a user who wants to train on it."""

from collections.abc import Iterator

import torch
from torch import Tensor

from graphs.data.store import GraphStore
from graphs.datasets.splits import Splits
from graphs.datasets.statistics import batches

RARE, SHOWN = 5, 12
"""Graphs below which a label is called rare, and how many names a line shows."""


def description(parts: Splits, options: str) -> list[str]:
    """Lines on the parts, on labels and what is rare, and of molecules on their fragments.

    Args:
        parts: The data set.
        options: Those that name it to `refine graphs train`.
    """
    train = parts.train
    lines = []
    for name in ("train", "validation", "test"):
        sizes = getattr(parts, name).sizes
        low, mean, high = int(sizes.min()), float(sizes.float().mean()), int(sizes.max())
        lines.append(f"{name}: {len(sizes)} graphs of {low} to {high} nodes, mean {mean:.1f}")
    vocabulary = train.vocabulary
    if vocabulary.directed:
        lines.append("directed: > is an arc away, < one towards, = one each way")
    first = next(batches(train))
    degree = (first.edges > 0).sum(2)[first.valid].float()
    lines += [
        f"node labels: {', '.join(vocabulary.nodes) or 'none'}",
        *_rare(train),
        f"edge labels: {', '.join(vocabulary.edges) or 'none'}",
        f"mean degree: {float(degree.mean()):.2f}, largest {int(degree.max())}",
        f"properties: {', '.join(train.properties) or 'none'}",
        *(f"{key}: {_words(value)}" for key, value in train.report.items()),
    ]
    return lines if train.arrays.text is None else [*lines, *_fragments(train, options)]


def graphs_with(store: GraphStore) -> Tensor:
    """(labels,) int64, graphs of a store that have each label of nodes."""
    found = torch.zeros(len(store.vocabulary.nodes), dtype=torch.int64)
    for graphs in batches(store):
        has = torch.zeros(len(graphs), len(found), dtype=torch.int64)
        found += (has.scatter_add_(1, graphs.nodes, graphs.valid.long()) > 0).sum(0)
    return found


def _rare(train: GraphStore) -> Iterator[str]:
    """A line on the labels of which there is little to learn from."""
    names = train.vocabulary.nodes
    rare = sorted((n, name) for n, name in zip(graphs_with(train).tolist(), names, strict=False))
    rare = [(count, name) for count, name in rare if count < RARE]
    if rare:
        listed = _listed([f"{name} in {count or 'none'}" for count, name in rare])
        yield f"rare, in fewer than {RARE} training graphs: {listed}"


def _fragments(train: GraphStore, options: str) -> Iterator[str]:
    """Lines on the fragments of molecules, and how to train on them."""
    from graphs.chem.mining import LEARNABLE, MINED, count_fragments, evenly

    some = torch.tensor(evenly(len(train), MINED))
    found = count_fragments(train.text(some), quiet=True)
    pairs = zip(found.names, found.molecules.tolist(), strict=True)
    share = [f"{name} in {count / len(some):.0%}" for name, count in pairs]
    yield f"fragments, rings and groups with multiple bonds: {_listed(share) or 'none'}"
    counts = [n for n in (10, 30, 100, 300, 1000, 3000) if n < len(found.names)]
    covers = [f"{n} cover {found.covered(n):.1%}" for n in (*counts, len(found.names)) if n]
    if covers:
        yield f"molecules that the most frequent fragments cover whole: {', '.join(covers)}"
        yield (
            f"fragments in {LEARNABLE} molecules or more: {found.learnable}, which cover "
            f"{found.covered(found.learnable):.1%}; `data.fragments: auto` takes these, and the "
            "others come apart into atoms"
        )
    command = "refine graphs train --config configs/graphs/own.yaml --name mine"
    yield f"to train: {command} {options} --time 10m"


def _listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _words(value: object) -> str:
    """A count, or counts and names in a row."""
    if isinstance(value, dict):
        return ", ".join(f"{name} from {count}" for name, count in value.items()) or "nothing"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
