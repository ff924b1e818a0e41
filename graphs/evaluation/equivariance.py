"""Checks that a trained model does not depend on the order of nodes: its parts and its samples."""

from collections.abc import Callable
from typing import Any

from graphs.data.batch import GraphBatch
from graphs.generators.contraction.symmetry import _checks as contraction_checks
from graphs.generators.expansion.symmetry import checks as expansion_checks
from graphs.generators.masked.symmetry import checks as masked_checks
from graphs.invariance.examples import graph_example
from graphs.invariance.exchangeability import assert_exchangeable
from graphs.invariance.report import NamedCheck, check_model
from graphs.model import GraphModel

CHECKS: dict[str, Callable[[Any, GraphBatch, int], list[NamedCheck]]] = {
    "contraction": contraction_checks,
    "expansion": expansion_checks,
    "masked": masked_checks,
}


def check_equivariance(model: GraphModel, *, draws: int = 2000, seed: int = 0) -> bool:
    """Print a table of errors and p-values; whether the order of nodes plays no part.

    Args:
        model: To check, on the CPU.
        draws: Graphs to sample for the test of exchangeability.
        seed: Of relabellings and samples.
    """
    batch = graph_example(model.vocabulary, seed=seed)
    checks = CHECKS[model.config.model.kind](model.refiner, batch, seed)
    sampler = ("sampler", lambda: assert_exchangeable(lambda s: model.sample(draws, seed=s)))
    return check_model([*checks, sampler])
