"""Scores of GuacaMol against values of its own code (guacamol 0.5.5)."""

from math import exp, inf, isnan

import numpy as np
import pytest

from graphs.metrics import guacamol
from graphs.metrics.similarity import nearest_other

OURS = ["CCO", "CCN", "CCCO", "c1ccccc1O", "CC(=O)NC", "Cc1ccncc1", "C1CCNC1", "CC(C)CO"]
TRAIN = [
    "CCCN",
    "COC",
    "c1ccccc1N",
    "CC(=O)OC",
    "Cc1ccccc1C",
    "C1CCOC1",
    "CCC(C)O",
    "NCCO",
    "CC#N",
]


def test_its_own_code_gives_this_score() -> None:
    assert guacamol.kl_score(OURS, TRAIN) == pytest.approx(0.7283258682, rel=1e-6)
    assert guacamol.kl_score(OURS + OURS, TRAIN) == guacamol.kl_score(OURS, TRAIN)


def test_the_same_molecules_are_perfect() -> None:
    assert guacamol.kl_score(TRAIN, TRAIN[::-1]) == pytest.approx(1)
    assert guacamol.fcd_score(0) == 1 and guacamol.fcd_score(5) == pytest.approx(exp(-1))
    assert isnan(guacamol.kl_score(["C"], TRAIN))


def test_values_that_are_all_alike_have_no_density() -> None:
    one, two = np.ones(5), np.full(4, 2.0)
    assert guacamol.density_divergence(one, one[:3]) == 0
    assert guacamol.density_divergence(one, two) == inf


def test_the_most_similar_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    bits = np.packbits(np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1]], bool), 1)
    for rows in (2, 3):
        monkeypatch.setattr("graphs.metrics.similarity.ROWS", rows)
        assert nearest_other(bits) == pytest.approx([2 / 3, 2 / 3, 1 / 4])
