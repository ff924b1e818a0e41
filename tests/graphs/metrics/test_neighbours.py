"""The nearest training molecules, and their fingerprints on disk."""

from pathlib import Path

import numpy as np
import pytest

from graphs.chem.scores import fingerprints
from graphs.metrics import neighbours
from graphs.metrics.neighbours import nearest_molecules
from graphs.metrics.similarity import most_similar, nearest
from tests.graphs.metrics.molecules import VALID

MOLECULES = [*VALID, "CCO", "CCCN", "c1ccccc1", "CC(=O)O", "CC#N"]


def test_the_nearest_is_the_most_similar() -> None:
    ours, theirs = MOLECULES[::2], MOLECULES[1::2]
    rows, best = most_similar(fingerprints(ours), fingerprints(theirs))
    assert np.array_equal(best, nearest(fingerprints(ours), fingerprints(theirs)))
    found = nearest_molecules(ours, theirs)
    assert found == [(theirs[row], value) for row, value in zip(rows, best, strict=True)]
    assert nearest_molecules(theirs[:2], theirs) == [(theirs[0], 1.0), (theirs[1], 1.0)]


def test_a_known_molecule_is_not_taken_for_its_double() -> None:
    """Chains of another length have the same fingerprint."""
    long, longer = "C" * 12, "C" * 13
    assert np.array_equal(fingerprints([long]), fingerprints([longer]))
    assert nearest_molecules([longer], [long, longer]) == [(longer, 1.0)]
    assert nearest_molecules([longer], [long]) == [(long, 1.0)]


def test_fingerprints_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = nearest_molecules(MOLECULES[:3], MOLECULES[3:], tmp_path)
    assert len(list((tmp_path / "graphs").glob("fingerprints-*.npy"))) == 1
    monkeypatch.setattr(neighbours, "_computed", None)
    assert nearest_molecules(MOLECULES[:3], MOLECULES[3:], tmp_path) == first
    with pytest.raises(TypeError):  # other molecules have other fingerprints
        nearest_molecules(MOLECULES[:3], MOLECULES[4:], tmp_path)
