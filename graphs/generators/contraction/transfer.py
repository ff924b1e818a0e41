"""Weights of a contraction for other labels and other properties than it was trained on."""

from collections.abc import Mapping

import torch
from torch import Tensor

from graphs.data.batch import Vocabulary
from graphs.generators.common.kind import Names

PROPERTIES = "embed.property.0.weight"
"""(d, 2p): from the values of p properties, then from whether they are known."""
NUMBERS, FIRST = "embed.cluster.number", "embed.cluster.first"
"""Vectors of every number of every count, and the row of each count's first."""
LABELLED_ROWS = {
    "embed.cluster.logarithm": "counts",
    "embed.label.weight": "edges",
    "embed.link.weight": "edges",
    "head.split.label.weight": "edges",
    "head.split.numbers.place": "digits",
    "head.split.numbers.past": "digits",
    "head.split.numbers.bias": "digits",
    "head.counts.label.weight": "steps",
    "head.counts.ask.weight": "steps",
    "head.counts.bias": "steps",
    "head.counts.next.weight": "next",
    "head.counts.next.bias": "next",
    "head.attachment.site": "nodes",
}
"""Tensors with a row for each label, and the rows that they have."""
VALUES = (
    "head.counts.count",
    "head.counts.out.weight",
    "head.counts.out.bias",
    "head.split.numbers.cap",
    "head.split.numbers.number",
    "head.split.numbers.out.3.weight",
    "head.split.numbers.out.3.bias",
)
"""Tensors with a row for each value of a count, from 0."""


def transferred(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], ours: Names, theirs: Names
) -> dict[str, Tensor]:
    """Weights of another model, with rows and columns for our labels and properties.

    Weights from properties that the other model does not have are zero, so that our model equals
    the other until it is trained. Weights of labels come from labels of the same name, and of
    counts as far as both models count; others are our own.

    Args:
        own: Our weights by name.
        given: Theirs.
        ours: Our labels and properties.
        theirs: Theirs.
    """
    result = {**given, **_relabelled(own, given, ours.vocabulary, theirs.vocabulary)}
    if PROPERTIES in own and PROPERTIES in given:
        columns = ours.properties, theirs.properties
        result[PROPERTIES] = _columns(own[PROPERTIES], given[PROPERTIES], *columns)
    return result


def _columns(own: Tensor, given: Tensor, names: tuple[str, ...], known: tuple[str, ...]) -> Tensor:
    """Weights (d, 2p) from properties; zero from those that are not known."""
    result = torch.zeros_like(own)
    for place, name in enumerate(names):
        if name in known and len(given) == len(own):
            for offset, theirs in ((0, 0), (len(names), len(known))):
                result[:, offset + place] = given[:, theirs + known.index(name)]
    return result


def _relabelled(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], ours: Vocabulary, theirs: Vocabulary
) -> dict[str, Tensor]:
    """Their tensors that have a row for each label, with our rows."""
    here, there = _rows(ours), _rows(theirs)
    result = {}
    for name in LABELLED_ROWS.keys() & own.keys() & given.keys():
        kind = LABELLED_ROWS[name]
        if own[name].ndim == given[name].ndim and len(own[name]) == len(here[kind]):
            result[name] = own[name].clone()
            for place, row in enumerate(here[kind]):
                if row in there[kind]:
                    _fill(result[name][place], given[name][there[kind].index(row)])
    for name in VALUES:
        if name in own and name in given and own[name].ndim == given[name].ndim:
            result[name] = own[name].clone()
            _fill(result[name], given[name])
    if {NUMBERS, FIRST} <= own.keys() & given.keys():
        result[NUMBERS], result[FIRST] = own[NUMBERS].clone(), own[FIRST]
        after, before = (_parts(each) for each in ({**own, **result}, given))
        for part, row in zip(after, here["counts"], strict=True):
            if row in there["counts"]:
                _fill(part, before[there["counts"].index(row)])
    return result


def _fill(tensor: Tensor, found: Tensor) -> None:
    """Copy as much as both have."""
    both = tuple(map(slice, map(min, tensor.shape, found.shape)))
    tensor[both] = found[both]


def _parts(tensors: Mapping[str, Tensor]) -> list[Tensor]:
    """Vectors of the numbers of each count, (rows, d) each; views."""
    starts = tensors[FIRST].tolist()
    ends = [*starts[1:], len(tensors[NUMBERS])]
    return [tensors[NUMBERS][a:b] for a, b in zip(starts, ends, strict=True)]


def _rows(vocabulary: Vocabulary) -> dict[str, list[tuple[str, str]]]:
    """The rows of labelled tensors: what is counted, and its label."""
    nodes = [("node", label) for label in vocabulary.nodes]

    def edges(where: str) -> list[tuple[str, str]]:
        return [(where, label) for label in vocabulary.edges]

    end = ("end", "")
    return {
        "nodes": nodes,
        "next": [*nodes, end],
        "steps": [*nodes, end, *edges("inner")],
        "counts": [*nodes, *edges("inner"), *edges("outer"), ("size", ""), ("slack", "")],
        "digits": [*nodes, *edges("inner"), *edges("join"), *edges("outer")],
        "edges": edges("edge"),
    }
