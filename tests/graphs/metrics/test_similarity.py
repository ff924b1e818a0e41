"""Similarities against loops over sets."""

from collections import Counter
from math import isnan
from typing import Any

import numpy as np
import pytest

from graphs.metrics import similarity


def test_similarities_equal_loops_over_sets_of_bits() -> None:
    rng = np.random.default_rng(0)
    bits = rng.random((37, 64)) < 0.2
    bits[3] = bits[20] = False  # two empty ones are alike
    a, b = np.packbits(bits[:17], 1), np.packbits(bits[17:], 1)
    sets = [set(np.flatnonzero(row)) for row in bits]

    def tanimoto(x: set[Any], y: set[Any]) -> float:
        return len(x & y) / len(x | y) if x | y else 1.0

    table = np.array([[tanimoto(x, y) for y in sets] for x in sets])
    assert np.allclose(similarity.nearest(a, b), table[:17, 17:].max(1))
    first, second = similarity.diversity(a)
    assert first == pytest.approx(1 - table[:17, :17].mean())
    assert second == pytest.approx(1 - (table[:17, :17] ** 2).mean() ** 0.5)


def test_similarity_does_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    bits = np.packbits(np.random.default_rng(1).random((50, 64)) < 0.3, 1)
    whole = similarity.nearest(bits[:20], bits[20:]), similarity.diversity(bits)
    monkeypatch.setattr(similarity, "ROWS", 7)
    parts = similarity.nearest(bits[:20], bits[20:]), similarity.diversity(bits)
    assert np.allclose(whole[0], parts[0]) and whole[1] == pytest.approx(parts[1])


def test_cosine_of_counts() -> None:
    assert similarity.cosine(Counter(a=3, b=4), Counter(b=2)) == pytest.approx(0.8)
    assert isnan(similarity.cosine(Counter(), Counter(b=2)))
