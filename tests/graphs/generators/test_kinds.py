"""Laws of masked diffusion, and what each kind of model refuses."""

from pathlib import Path
from typing import Any

import pytest
import torch

from graphs import model as trained
from graphs.config import DataConfig, GraphsConfig, ModelConfig
from graphs.data.batch import Vocabulary
from graphs.generators.build import build
from graphs.generators.masked.symmetry import checks
from graphs.invariance import assert_exchangeable, graph_example
from graphs.train import train
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.training.config import Optimisation
from tests.graphs import tiny
from tests.graphs.kinds import SIZES, equal, model


def test_networks_are_equivariant() -> None:
    batch = graph_example(tiny.VOCABULARY)
    for _, check in checks(model("masked").refiner, batch, 0):  # type: ignore[arg-type]
        check()


def test_samples_are_exchangeable() -> None:
    made = model("masked")
    assert_exchangeable(lambda seed: made.sample(1500, seed=seed))


def test_samples_depend_on_seed_and_place_only() -> None:
    made = model("masked")
    whole = made.sample(40, seed=3)
    assert equal(whole, made.sample(40, seed=3, batch=7))
    assert not equal(whole, made.sample(40, seed=4))
    assert torch.equal(whole.edges, whole.edges.mT) and whole.edges.max() <= 2


def test_samples_follow_the_law_that_training_sees() -> None:
    refiner, names = model("masked").refiner, tiny.names(20)
    refiner.tokenizer.ask(7, "random")  # type: ignore[operator]
    trace = refiner.sample_trace(names)
    given = refiner.distributions(trace.states[:-1])
    for k, (dist, code) in enumerate(zip(given, trace.codes, strict=True)):
        assert torch.equal(dist.sample(names.fork(k)), code)


def test_sizes_are_those_of_training() -> None:
    sizes = model("masked").sample(3000).sizes.bincount(minlength=len(SIZES)) / 3000
    assert torch.allclose(sizes, torch.tensor(SIZES) / sum(SIZES), atol=0.03)


def test_saved_model_is_the_same(tmp_path: Path) -> None:
    made = model("masked")
    made.save(tmp_path / "model.safetensors", half=False)
    again = trained.load(tmp_path)
    assert again.config == made.config and again.sizes == SIZES
    assert equal(again.sample(20, seed=1), made.sample(20, seed=1))
    batch = tiny.graphs(5, 6)
    assert torch.allclose(again.code_log_prob(batch), made.code_log_prob(batch))


def test_training_reaches_every_parameter() -> None:
    refiner = model("masked").refiner.train()
    refiner((tiny.graphs(16, 6),), tiny.names(16))["loss"].backward()
    missing = [name for name, p in refiner.named_parameters() if p.grad is None]
    assert not missing


@pytest.mark.parametrize("kind", ["contraction", "masked"])
def test_losses_of_two_parts_make_that_of_the_whole(kind: str) -> None:
    """Weighted by their counts, whatever the sizes of their graphs."""
    refiner = model(kind).refiner if kind == "masked" else trained.load("qm9").refiner
    batch, names = tiny.graphs(16, 6), torch.arange(16)
    batch = batch[batch.sizes.argsort()]
    whole = refiner((batch,), Noise(0, names))
    parts = [refiner((batch[part],), Noise(0, part)) for part in names.split(6)]
    counts = torch.stack([part["count"] for part in parts])
    losses = torch.stack([part["loss"] for part in parts])
    assert int(counts.sum()) == int(whole["count"]) and len(counts.unique()) > 1
    assert torch.allclose((losses * counts).sum() / counts.sum(), whole["loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"count": 0}, "Found count 0, expected 1 or more"),
        ({"count": -3}, "Found count -3"),
        ({"batch": 0}, "Found batch 0"),
        ({"scaffold": "c1ccccc1", "particles": 0}, "Found particles 0"),
        ({"guidance": 2.0}, "Found guidance 2 but no property to guide to"),
    ],
)
def test_numbers_that_no_draw_can_follow(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        trained.load("qm9").sample(**({"count": 3} | options))


def test_what_a_kind_cannot_do_is_said() -> None:
    masked, contraction = model("masked"), trained.load("qm9")
    with pytest.raises(InputError, match="calls of a contraction follow from the size"):
        contraction.sample(1, calls=4)
    with pytest.raises(InputError, match="only the kind 'contraction' has it"):
        masked.sample(1, parallel="all")
    with pytest.raises(InputError, match="only the kind 'masked' has it"):
        contraction.sample(1, order="confidence")
    with pytest.raises(InputError, match="Found 0 network calls"):
        masked.sample(1, calls=0)
    with pytest.raises(InputError, match="cannot extend a scaffold"):
        masked.sample(1, scaffold="CCO")
    with pytest.raises(InputError, match="takes no properties"):
        masked.sample(1, where={"logp": 1.0})
    with pytest.raises(InputError, match="takes no properties: leave"):
        build(ModelConfig(kind="masked"), Vocabulary(), (3, 3), properties=1, sizes=SIZES)
    with pytest.raises(InputError, match="expected how many graphs have"):
        build(ModelConfig(kind="masked"), Vocabulary(), (3, 3))


def test_training_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "few.smi").write_text("\n".join(["CCO", "CC(N)=O", "C1CC1O", "CC#N"] * 8) + "\n")
    opt = Optimisation(epochs=1, batch=8)
    settings = ModelConfig(kind="masked", dim=16, depth=1, heads=2, training=opt)
    config = GraphsConfig("tiny", 0, DataConfig(str(tmp_path / "few.smi")), settings)
    first = train(config, tmp_path / "runs", quiet=True)
    again = train(config, tmp_path / "runs", quiet=True)
    assert equal(first.sample(10), again.sample(10))
    assert len(first.smiles(first.sample(5))) == 5
