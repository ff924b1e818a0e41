"""Restarts of contractions."""

from dataclasses import replace

import torch

from graphs import model as trained
from graphs.config import SamplingConfig
from graphs.generators.sampling import draw
from tests.graphs import tiny
from tests.graphs.kinds import equal


def test_restarts_keep_what_they_are_told_to() -> None:
    refiner = tiny.refiner()
    how = SamplingConfig(restarts=1, restart_scale=20)  # more scales than there are
    plain = draw(refiner, tiny.names(20), None, SamplingConfig())
    same = draw(refiner, tiny.names(20), None, how)
    pairs = [(tiny.to_networkx(plain, g), tiny.to_networkx(same, g)) for g in range(20)]
    assert all(tiny.same(a, b) for a, b in pairs)
    other = draw(refiner, tiny.names(20), None, replace(how, restart_scale=1))
    pairs = [(tiny.to_networkx(plain, g), tiny.to_networkx(other, g)) for g in range(20)]
    assert not all(tiny.same(a, b) for a, b in pairs)
    assert torch.equal(plain.nodes.sum(1), plain.nodes.sum(1))
    assert torch.equal(plain.sizes, other.sizes)  # the first scale are the counts


def test_restarts_do_not_depend_on_the_batch() -> None:
    model = trained.load("qm9")
    whole = model.sample(12, seed=5, restarts=2)
    assert equal(whole, model.sample(12, seed=5, restarts=2, batch=5))
    assert not equal(whole, model.sample(12, seed=5))
