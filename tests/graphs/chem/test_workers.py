"""Workers return what one process does."""

import numpy as np
import pytest

from graphs.chem import (
    ParseOptions,
    collect_molecules,
    workers,
)
from tests.graphs.chem.molecules import MOLECULES


def test_workers_return_what_one_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CHUNK", 100)
    texts = [smiles for smiles in [*MOLECULES, "C1CC", "C[CH2]"] for _ in range(40)]
    alone, shared = (
        collect_molecules(texts, ParseOptions(), workers=workers, quiet=True) for workers in (1, 2)
    )
    assert alone.skipped == shared.skipped and len(alone.skipped) == 80
    assert np.array_equal(alone.places, shared.places)
    assert alone.store.report == shared.store.report
    for name, array in vars(alone.store.arrays).items():
        assert np.array_equal(array, getattr(shared.store.arrays, name)), name
