"""Samples weighted by a function of the user's own."""

from collections.abc import Sequence

import networkx as nx
import numpy as np
import pytest
import torch

from graphs.chem.properties import near, property_values
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.contraction.config import ContractionConfig
from graphs.model import GraphModel, load
from graphs.scoring import weights
from refine_core.errors import InputError
from tests.graphs.tiny import PLAIN, SMALL, equal, graph, model


@pytest.fixture(scope="module")
def plain() -> GraphModel:
    return model(ContractionConfig(**SMALL, edge_tokens="none"), PLAIN)


def _edges(drawn: "Sequence[nx.Graph[int]]") -> list[float]:
    return [0.7 * each.number_of_edges() for each in drawn]


def _mean(values: torch.Tensor, weight: torch.Tensor) -> float:
    return float((values * weight).sum() / weight.sum())


def test_samples_follow_the_law_times_the_weight(plain: GraphModel) -> None:
    edges = (plain.sample(6000).edges > 0).sum((1, 2)).double() / 2
    expected = _mean(edges, (0.7 * edges).exp())
    found = (plain.sample(800, score=_edges, particles=40, seed=1).edges > 0).sum((1, 2)) / 2
    assert expected > edges.mean() + 0.5
    assert abs(float(found.mean()) - expected) < 4 * float(found.std()) / 800**0.5 + 0.1


def test_samples_do_not_depend_on_the_batch(plain: GraphModel) -> None:
    whole = plain.sample(12, score=_edges, particles=5)
    assert equal(whole, plain.sample(12, score=_edges, particles=5, batch=10))


def test_together_with_a_scaffold(plain: GraphModel) -> None:
    piece = graph([0, 0, 0], [(0, 1, 1), (1, 2, 1), (0, 2, 1)])
    few = plain.sample(30, scaffold=piece, particles=4)
    more = plain.sample(30, scaffold=piece, particles=4, score=_edges)
    count = (few.edges > 0).sum((1, 2)).float(), (more.edges > 0).sum((1, 2)).float()
    assert float(count[1].mean()) > float(count[0].mean())


@pytest.mark.parametrize("given", [[1.0], [float("nan")] * 8, ["x"] * 8, None])
def test_a_score_that_is_none_gets_a_sentence(plain: GraphModel, given: object) -> None:
    with pytest.raises(InputError, match="for 8 graphs.*return one finite number for each"):
        plain.sample(2, score=lambda _: given, particles=4)  # type: ignore[arg-type, return-value]


def test_no_score_is_so_low_that_molecules_that_are_none_win() -> None:
    real, none = graph([0, 1], [(0, 1, 1)]), graph([1, 1, 1, 1], [(0, k, 1) for k in (1, 2, 3)])
    vocabulary = Vocabulary(("C", "O"), ("SINGLE",))
    found = weights([lambda _: [-1e6]], GraphBatch.joined([real, none]), vocabulary)
    assert float(found[0]) == -1e6 and float(found[1]) < -1e6 - 1000


def test_what_is_no_function_is_refused_before_anything_is_drawn(plain: GraphModel) -> None:
    with pytest.raises(InputError, match=r"Found score 0.5, expected a function"):
        plain.sample(2, score=0.5)  # type: ignore[arg-type]


def test_molecules_come_near_to_what_is_wanted() -> None:
    model = load("qm9", "cpu")

    def error(particles: int) -> float:
        made = model.sample(60, score=near({"logp": 1.5}), particles=particles)
        values = property_values(model.smiles(made), ["logp"])["logp"]
        return float(np.abs(values - 1.5).mean())

    one, some, many = error(1), error(4), error(16)
    assert many < 0.6 * some < 0.5 * one


def test_particles_are_the_same_in_any_process() -> None:
    model, score = load("qm9", "cpu"), near({"rings": 2, "weight": 110})
    one, two = (
        model.sample(24, score=score, particles=4, batch=48, workers=workers) for workers in (1, 2)
    )
    assert equal(one, two)


def test_what_cannot_be_near_is_refused(plain: GraphModel) -> None:
    with pytest.raises(InputError, match="Found no property"):
        near({})
    with pytest.raises(InputError, match="width of 0 for qed"):
        near({"qed": 0.5}, {"qed": 0.0})
    with pytest.raises(InputError, match="Found qed nan, expected a finite number"):
        near({"qed": float("nan")})
    with pytest.raises(InputError, match="Did you mean 'tpsa'"):
        near({"qed": 0.5}, {"tpsas": 1.0})
    with pytest.raises(InputError, match="for models of molecules"):
        plain.sample(2, score=near({"qed": 0.5}), particles=2)
