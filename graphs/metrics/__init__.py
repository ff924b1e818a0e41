"""Scores of generated molecules and graphs against training and test sets; knows no model."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.metrics.atom_stability import stability as stability
    from graphs.metrics.molecules import evaluate_molecules as evaluate_molecules
    from graphs.metrics.plain.digraphs import evaluate_digraphs as evaluate_digraphs
    from graphs.metrics.plain_graphs import evaluate_graphs as evaluate_graphs
    from graphs.metrics.plain_graphs import is_valid as is_valid
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
