"""Scores by which samples are weighted: one's own, or of this package."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.particles import REFUSED
from refine_core.errors import InputError

Score = Callable[[Sequence[Any]], Sequence[float]]
"""Logarithms of the weights of molecules, by their SMILES, or of graphs of networkx."""


def check_score(score: Score | None) -> None:
    """Refuse what is no function.

    Raises:
        InputError: It is none.
    """
    if score is not None and not callable(score):
        raise InputError(
            f"Found score {score!r:.40}, expected a function: give one that takes a list of "
            "SMILES, or of graphs, and returns a number for each."
        )


def is_portable(score: Score | None) -> bool:
    """Whether other processes can have a score: those of this package, not a user's function."""
    return score is None or type(score).__module__.startswith("graphs.")


def weights(scores: Sequence[Score], graphs: GraphBatch, vocabulary: Vocabulary) -> Tensor:
    """What scores give graphs together, (b,) float64; molecules that are none are refused.

    Raises:
        InputError: One does not give a finite number for each.
    """
    found: Sequence[object]
    if vocabulary.molecular:
        from graphs.chem import to_smiles

        smiles = to_smiles(graphs, vocabulary)
        real = torch.tensor([text is not None for text in smiles])
        found = [text for text in smiles if text is not None]
    else:
        from graphs.data.convert_networkx import to_networkx

        found = to_networkx(graphs, vocabulary)
        real = torch.ones(len(found), dtype=torch.bool)
    values = torch.zeros(len(found), dtype=torch.float64)
    for score in scores if found else ():
        values = values + _values(score, found)
    least = float(values.min()) if len(values) else 0.0
    weight = torch.full((len(real),), least - REFUSED, dtype=torch.float64)
    weight[real] = values
    return weight


def _values(score: Score, found: Sequence[object]) -> Tensor:
    """What a score gives molecules or graphs, (n,) float64."""
    given = score(found)
    try:
        values = torch.as_tensor(given, dtype=torch.float64).flatten()
    except (TypeError, ValueError):
        values = torch.full((len(found),), torch.nan)
    if len(values) != len(found) or not bool(values.isfinite().all()):
        raise InputError(
            f"The score gave {len(values)} values for {len(found)} graphs, some of them no "
            "finite numbers or too few: return one finite number for each."
        )
    return values
