"""Weights of a contraction for other labels and other properties than it was trained on."""

from collections.abc import Mapping

import torch
from torch import Tensor

from graphs.data.batch import Vocabulary
from graphs.generators.common.kind import Names

VALUES = 16  # of a count, see `graphs.generators.contraction.embed.GraphEmbed`
PROPERTIES = "embed.property.0.weight"
"""(d, 2p): from the values of p properties, then from whether they are known."""
CLUSTERS = "embed.cluster.weight"
LABELLED_ROWS = {
    CLUSTERS: "counts",
    "embed.label.weight": "edges",
    "head.place": "digits",
    "head.past": "digits",
    "head.out": "digits",
    "head.out_bias": "digits",
}
"""Tensors with a row for each label, and the rows that they have."""


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
        after, before = (_by_row(tensor[name], name) for tensor in (own, given))
        if after.ndim != before.ndim or len(after) != len(here[kind]):
            continue
        after = after.clone()
        for place, row in enumerate(here[kind]):
            if row in there[kind]:
                found = before[there[kind].index(row)]
                both = tuple(map(slice, map(min, after.shape[1:], found.shape)))
                after[place][both] = found[both]
        result[name] = _by_row(after, name, back=True)
    return result


def _by_row(tensor: Tensor, name: str, back: bool = False) -> Tensor:
    """A tensor with its labels first, or back.

    Features of clusters (d, counts * values) are taken apart; a count has 17 values, see
    `graphs.generators.contraction.embed`.
    """
    if name != CLUSTERS:
        return tensor
    if back:
        return tensor.transpose(0, 1).flatten(1)
    rows: Tensor = tensor.unflatten(1, (-1, VALUES + 1)).transpose(0, 1)
    return rows


def _rows(vocabulary: Vocabulary) -> dict[str, list[tuple[str, str]]]:
    """The rows of labelled tensors: what is counted, and its label."""
    nodes = [("node", label) for label in vocabulary.nodes]

    def edges(where: str) -> list[tuple[str, str]]:
        return [(where, label) for label in vocabulary.edges]

    return {
        "counts": [*nodes, *edges("inner"), *edges("outer"), ("size", ""), ("slack", "")],
        "digits": [*nodes, *edges("inner"), *edges("join"), *edges("outer")],
        "edges": edges("edge"),
    }
