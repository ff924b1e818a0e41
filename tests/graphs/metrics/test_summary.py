"""Summaries of molecules are kept by content."""

from pathlib import Path

import numpy as np
import pytest

from graphs.metrics import summary
from graphs.metrics.summary import summarise
from tests.graphs.metrics.molecules import TEST


def test_summary_is_kept_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = summarise(TEST, tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(summary, "_compute", never)
    again = summarise(TEST, tmp_path)
    for name, value in vars(first).items():
        other = getattr(again, name)
        assert np.array_equal(value, other) if isinstance(value, np.ndarray) else value == other
    with pytest.raises(AssertionError, match="computed again"):
        summarise(TEST[:1], tmp_path)
