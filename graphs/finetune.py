"""Starting a training from the weights of another model."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from graphs.data.batch import Vocabulary
from graphs.generators.common.refiner import GraphRefiner
from graphs.model import MODELS
from refine_core.storage.checkpoint import load_matching

VALUES = 16  # of a count, see `graphs.generators.contraction.embed.GraphEmbed`
ENTRY = "embed.property.0.weight"  # (d, 2p): from p values, then from whether they are known

# Tensors with a row for each label, and which labels.
LABELLED_ROWS = {
    "embed.cluster.weight": "counts",
    "embed.label.weight": "edges",
    "head.place": "digits",
    "head.past": "digits",
    "head.out": "digits",
    "head.out_bias": "digits",
}

log = logging.getLogger(__name__)


def start_from(
    refiner: GraphRefiner, name: str | Path, names: tuple[str, ...], vocabulary: Vocabulary
) -> None:
    """Take the weights of a trained model where names and shapes agree.

    Weights from properties that the other model did not have start at zero, so the model equals
    the other one, whatever properties it is told, until it has learnt. Weights of labels go to
    labels of the same name, and of counts, as far as both models count; others start anew.

    Args:
        refiner: Changed in place.
        name: A shipped model's name, a run's folder or a file.
        names: Properties of `refiner`.
        vocabulary: Labels of `refiner`.

    Raises:
        InputError: There is no such model.
    """
    saved = MODELS.load(name)
    own, given = refiner.state_dict(), dict(saved.tensors)
    if ENTRY in own and ENTRY in given:
        given[ENTRY] = _columns(own[ENTRY], given[ENTRY], names, saved.spec.properties.names)
    theirs = saved.spec.statistics.vocabulary
    given |= _relabelled(own, given, vocabulary, theirs)
    if left := load_matching(refiner, given):
        log.warning("start_from %s: %d of %d tensors do not fit", name, len(left), len(own))
    if new := [label for label in vocabulary.nodes if label not in theirs.nodes]:
        log.warning("start_from %s: it knows nothing of %s", name, ", ".join(new))


def _columns(own: Tensor, given: Tensor, names: tuple[str, ...], known: tuple[str, ...]) -> Tensor:
    """Weights (d, 2p) from properties, of those known; zero from others."""
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
    """A tensor with its labels first; of the clusters' features (d, counts * values), taken apart.

    There are 17 values of each count, see `graphs.generators.contraction.embed`.
    """
    if name != "embed.cluster.weight":
        return tensor
    if back:
        return tensor.transpose(0, 1).flatten(1)
    rows: Tensor = tensor.unflatten(1, (-1, VALUES + 1)).transpose(0, 1)
    return rows


def _rows(vocabulary: Vocabulary) -> dict[str, list[tuple[str, str]]]:
    """What the rows of labelled tensors stand for."""
    nodes = [("node", label) for label in vocabulary.nodes]

    def edges(where: str) -> list[tuple[str, str]]:
        return [(where, label) for label in vocabulary.edges]

    return {
        "counts": [*nodes, *edges("inner"), *edges("outer"), ("size", ""), ("slack", "")],
        "digits": [*nodes, *edges("inner"), *edges("join"), *edges("outer")],
        "edges": edges("edge"),
    }
