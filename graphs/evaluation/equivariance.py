"""Checks that a trained model does not depend on the order of nodes: its parts and its samples."""

from graphs.invariance.examples import graph_example
from graphs.invariance.exchangeability import assert_exchangeable
from graphs.invariance.report import check_model
from graphs.model import GraphModel


def check_equivariance(model: GraphModel, *, draws: int = 2000, seed: int = 0) -> bool:
    """Print a table of errors and p-values; whether the order of nodes plays no part.

    Args:
        model: To check, on the CPU.
        draws: Graphs to sample for the test of exchangeability.
        seed: Seed of relabellings and samples.
    """
    fragments = model.vocabulary.has_fragments
    # Random labels and sites of fragments make no molecule, and have no likelihood.
    batch = model.sample(12, seed=seed) if fragments else graph_example(model.vocabulary, seed)
    checks = model.kind.symmetry_checks(model.refiner, batch, seed)
    sampler = ("sampler", lambda: assert_exchangeable(lambda s: model.sample(draws, seed=s)))
    return check_model([*checks, sampler])
