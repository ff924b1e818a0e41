"""Starting a training from the weights of another model."""

import logging
from pathlib import Path

from graphs.generators.common.kind import GeneratorKind, Names
from graphs.generators.common.refiner import GraphRefiner
from graphs.model import MODELS
from refine_core.storage.checkpoint import load_matching

log = logging.getLogger(__name__)


def start_from(refiner: GraphRefiner, kind: GeneratorKind, name: str | Path, names: Names) -> None:
    """Take the weights of a trained model where names and shapes agree.

    A kind may fit weights to other labels and properties; see its `transferred`.

    Args:
        refiner: Changed in place.
        kind: Kind of `refiner`.
        name: A shipped model's name, a run's folder or a file.
        names: Labels and properties of `refiner`.

    Raises:
        InputError: There is no such model.
    """
    saved = MODELS.load(name)
    theirs = Names(saved.spec.statistics.vocabulary, saved.spec.properties.names)
    given = kind.transferred(refiner.state_dict(), saved.tensors, names, theirs)
    if left := load_matching(refiner, given):
        total = len(refiner.state_dict())
        log.warning("start_from %s: %d of %d tensors do not fit", name, len(left), total)
    known = theirs.vocabulary.nodes
    if new := [label for label in names.vocabulary.nodes if label not in known]:
        log.warning("start_from %s: it knows nothing of %s", name, ", ".join(new))
