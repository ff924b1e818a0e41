"""Whether a trained model treats nodes as a set, part by part."""

from typing import Any

from graphs.generators.contraction.symmetry import _checks
from graphs.generators.expansion.symmetry import checks as expansion
from graphs.generators.masked.symmetry import checks as masked
from graphs.invariance import (
    assert_exchangeable,
    check_model,
    graph_example,
)
from graphs.model import GraphModel


def check(model: GraphModel, *, draws: int = 2000, seed: int = 0) -> bool:
    """Print a table of errors and p-values; whether nothing leaks the order of the nodes.

    Args:
        model: To check, on the CPU.
        draws: Graphs to draw for the test of the sampler's law.
        seed: Of relabellings and draws.
    """
    batch = graph_example(model.vocabulary, seed=seed)
    refiner: Any = model.refiner
    kinds: dict[str, Any] = {
        "contraction": _checks,
        "expansion": expansion,
        "masked": masked,
    }
    checks = kinds[model.config.model.kind]
    law = ("sampler", lambda: assert_exchangeable(lambda s: model.sample(draws, seed=s)))
    return check_model([*checks(refiner, batch, seed), law])
