"""Laws that every kind of generator keeps, and what each kind refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from graphs import model as trained
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.config import ModelConfig
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.kinds import kind_of
from graphs.generators.masked.config import MaskedConfig
from graphs.invariance import assert_exchangeable, graph_example
from graphs.model import GraphModel
from refine_core.errors import InputError
from refine_core.noise import Noise
from tests.graphs import tiny
from tests.graphs.tiny import PLAIN, SIZES, SMALL, STATISTICS, equal

CONFIGS: dict[str, ModelConfig] = {
    "masked": MaskedConfig(**SMALL),
    "expansion": ExpansionConfig(**SMALL, matching="tight"),
    "counted": ExpansionConfig(**SMALL, matching="tight", counted=True),
    "contraction": ContractionConfig(**SMALL),
}
KINDS = pytest.mark.parametrize("kind", CONFIGS)


def made(kind: str, *, connected: bool = True) -> GraphModel:
    config = CONFIGS[kind]
    statistics = PLAIN if isinstance(config, ExpansionConfig) else STATISTICS
    if kind == "masked":
        statistics = replace(statistics, valence_limits=tiny.LIMITS)
    calls = {"calls": 6} if kind == "masked" else {}
    return tiny.model(config, replace(statistics, connected=connected), **calls)


def graphs(kind: str, count: int) -> GraphBatch:
    batch = tiny.graphs(count, 6)
    return tiny.plain(batch) if isinstance(CONFIGS[kind], ExpansionConfig) else batch


@KINDS
def test_parts_treat_nodes_as_a_set(kind: str) -> None:
    model = made(kind)
    batch = graph_example(model.vocabulary)
    for _, check in model.kind.symmetry_checks(model.refiner, batch, 0):
        check()


@KINDS
def test_samples_are_exchangeable(kind: str) -> None:
    model = made(kind, connected=False)
    assert_exchangeable(lambda seed: model.sample(1500, seed=seed))


@KINDS
def test_samples_depend_on_seed_and_place_only(kind: str) -> None:
    model = made(kind)
    whole = model.sample(40, seed=3)
    assert equal(whole, model.sample(40, seed=3, batch=7))
    assert not equal(whole, model.sample(40, seed=4))
    assert torch.equal(whole.edges, whole.edges.mT)


@KINDS
def test_samples_follow_the_law_that_training_sees(kind: str) -> None:
    model, names = made(kind, connected=False), tiny.names(20)
    model.kind.prepare(model.refiner, model.settings())
    trace = model.refiner.sample_trace(names)
    dists = model.refiner.distributions(trace.states[:-1])
    for k, (dist, code) in enumerate(zip(dists, trace.codes, strict=True)):
        assert torch.equal(dist.sample(names.fork(k)), code)
        assert bool((dist.log_prob(code) > -99).all())


@KINDS
def test_saved_model_is_the_same(kind: str, tmp_path: Path) -> None:
    model = made(kind)
    model.save(tmp_path / "model.safetensors", half=False)
    again = trained.load(tmp_path)
    assert again.config == model.config and again.statistics == model.statistics
    assert equal(again.sample(20, seed=1), model.sample(20, seed=1))
    batch = graphs(kind, 5)
    assert torch.allclose(again.code_log_prob(batch), model.code_log_prob(batch))


@KINDS
def test_losses_of_two_parts_make_that_of_the_whole(kind: str) -> None:
    """Weighted by their counts, whatever the sizes of their graphs."""
    refiner, batch, names = made(kind).refiner, graphs(kind, 16), torch.arange(16)
    batch = batch[batch.sizes.argsort()]
    whole = refiner((batch,), Noise(0, names))
    parts = [refiner((batch[part],), Noise(0, part)) for part in names.split(6)]
    counts = torch.stack([part["count"] for part in parts])
    losses = torch.stack([part["loss"] for part in parts])
    assert int(counts.sum()) == int(whole["count"]) and len(counts.unique()) > 1
    assert torch.allclose((losses * counts).sum() / counts.sum(), whole["loss"], rtol=1e-5)


@KINDS
def test_training_reaches_every_parameter(kind: str) -> None:
    refiner = made(kind, connected=False).refiner.train()
    refiner((graphs(kind, 16),), tiny.names(16))["loss"].backward()
    assert not [name for name, p in refiner.named_parameters() if p.grad is None]


@pytest.mark.parametrize("kind", ["masked", "expansion"])
def test_sizes_are_those_of_training(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "graphs.generators.common.valence.REDRAWS", 0
    )  # large graphs exceed limits more often
    sizes = made(kind).sample(1500).sizes.bincount(minlength=len(SIZES)) / 1500
    assert torch.allclose(sizes, torch.tensor(SIZES) / sum(SIZES), atol=0.04)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"count": 0}, "Found count 0, expected 1 or more"),
        ({"count": -3}, "Found count -3"),
        ({"batch": 0}, "Found batch 0"),
        ({"scaffold": "c1ccccc1", "particles": 0}, "Found particles 0"),
        ({"guidance": 2.0}, "Found guidance 2 but no property to guide to"),
        ({"temperature": -1.0}, "temperature: found -1.0, expected a number of at least 0"),
    ],
)
def test_numbers_that_no_sample_can_follow(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        trained.load("qm9").sample(**({"count": 3} | options))


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        ("contraction", {"calls": 4}, "calls follow from the size of its graphs: leave it out"),
        ("expansion", {"calls": 4}, "calls follow from the size of its graphs: leave it out"),
        ("expansion", {"first_temperature": 0.5}, "kind 'expansion', which has no such setting"),
        ("masked", {"first_temperature": 0.5}, "kind 'masked', which has no such setting"),
        ("masked", {"calls": 0}, "calls: found 0, expected a whole number above 0"),
        ("masked", {"scaffold": "CCO"}, "cannot extend a scaffold"),
        ("masked", {"where": {"logp": 1.0}}, "takes no properties"),
    ],
)
def test_what_a_kind_cannot_do_is_said(kind: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        made(kind).sample(1, **options)


def test_what_a_kind_cannot_be_built_of_is_said() -> None:
    masked, expansion = kind_of(MaskedConfig(**SMALL)), kind_of(ExpansionConfig(**SMALL))
    for kind in (masked, expansion):
        with pytest.raises(InputError, match="takes no properties: leave"):
            kind.build(PLAIN, properties=1)
    with pytest.raises(InputError, match="expected how many graphs have"):
        masked.build(GraphStatistics(Vocabulary(), (3, 3)))
    with pytest.raises(InputError, match="without labels"):
        expansion.build(STATISTICS)
