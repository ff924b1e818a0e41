"""Starting a training from the weights of another model."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from graphs.graph import Vocabulary
from graphs.trained import KIND, SHIPPED
from refine_core import checkpoint
from refine_core.refiner import Refiner

ENTRY = "embed.property.0.weight"  # (d, 2p): from p values, then from whether they are known

log = logging.getLogger(__name__)


def start_from(
    refiner: Refiner, name: str | Path, names: tuple[str, ...], vocabulary: Vocabulary
) -> None:
    """Take the weights of a trained model where names and shapes agree.

    Weights from properties that the other model did not have start at zero, so the model equals
    the other one, whatever properties it is told, until it has learnt.

    Args:
        refiner: Changed in place.
        name: A shipped model's name, a run's folder or a file.
        names: Properties of `refiner`.
        vocabulary: Labels of `refiner`.

    Raises:
        InputError: There is no such model.
    """
    saved = checkpoint.load(checkpoint.find(name, SHIPPED), KIND)
    own, given = refiner.state_dict(), dict(saved.tensors)
    if ENTRY in own and ENTRY in given:
        given[ENTRY] = _columns(own[ENTRY], given[ENTRY], names, saved.meta["properties"]["names"])
    taken = {n: t for n, t in given.items() if n in own and own[n].shape == t.shape}
    refiner.load_state_dict({**own, **taken})
    if left := sorted(own.keys() - taken.keys()):
        log.warning("start_from %s: %d of %d tensors do not fit", name, len(left), len(own))
    if Vocabulary(**saved.meta["vocabulary"]) != vocabulary:
        log.warning("start_from %s: its labels are others, so its weights mean less", name)


def _columns(own: Tensor, given: Tensor, names: tuple[str, ...], known: list[str]) -> Tensor:
    """Weights (d, 2p) from properties, of those known; zero from others."""
    result = torch.zeros_like(own)
    for place, name in enumerate(names):
        if name in known and len(given) == len(own):
            for offset, theirs in ((0, 0), (len(names), len(known))):
                result[:, offset + place] = given[:, theirs + known.index(name)]
    return result
