"""Laws of the other kinds of models: masked diffusion and the latent pyramid."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from graphs import model as trained
from graphs.config import DataConfig, GraphsConfig, ModelConfig
from graphs.data.batch import Vocabulary
from graphs.generators.build import build
from graphs.generators.latent.symmetry import checks as latent_checks
from graphs.generators.masked.symmetry import checks as masked_checks
from graphs.invariance import assert_exchangeable, graph_example
from graphs.train import train
from refine_core.errors import InputError
from refine_core.training.config import Optimisation
from tests.graphs import tiny
from tests.graphs.kinds import KINDS, LATENT, SIZES, equal, model


@pytest.mark.parametrize("kind", KINDS)
def test_networks_are_equivariant(kind: str) -> None:
    checks = {"masked": masked_checks, "latent": latent_checks}[kind]
    batch = graph_example(tiny.VOCABULARY)
    for _, check in checks(model(kind).refiner, batch, 0):  # type: ignore[operator]
        check()


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_exchangeable(kind: str) -> None:
    made = model(kind)
    if kind == "latent":  # an untaught decoder says the same to whatever it is told
        tokens = made.refiner.tokenizer.requires_grad_(True)
        optimizer = torch.optim.AdamW(tokens.parameters(), lr=5e-3)
        for step in range(150):
            tokens((tiny.graphs(32, 6, seed=step),), tiny.names(32, step))["loss"].backward()
            optimizer.step()
            optimizer.zero_grad()
    assert_exchangeable(lambda seed: made.sample(4000 if kind == "latent" else 1500, seed=seed))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_depend_on_seed_and_place_only(kind: str) -> None:
    made = model(kind)
    whole = made.sample(40, seed=3)
    assert equal(whole, made.sample(40, seed=3, batch=7))
    assert not equal(whole, made.sample(40, seed=4))
    assert torch.equal(whole.edges, whole.edges.mT) and whole.edges.max() <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_samples_follow_the_law_that_training_sees(kind: str) -> None:
    refiner, names = model(kind).refiner, tiny.names(20)
    refiner.tokenizer.ask(7, "random")  # type: ignore[operator]
    schedule = refiner.tokenizer.schedule
    trace = refiner.sample_trace(names)
    given = refiner.distributions(trace.states[:-1])
    for k, (dist, code) in enumerate(zip(given, trace.codes, strict=True)):
        assert torch.equal(dist.sample(names.fork(k)), code)


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_those_of_training(kind: str) -> None:
    sizes = model(kind).sample(3000).sizes.bincount(minlength=len(SIZES)) / 3000
    assert torch.allclose(sizes, torch.tensor(SIZES) / sum(SIZES), atol=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_model_is_the_same(kind: str, tmp_path: Path) -> None:
    made = model(kind)
    made.save(tmp_path / "model.safetensors", half=False)
    again = trained.load(tmp_path)
    assert again.config == made.config and again.sizes == SIZES
    assert equal(again.sample(20, seed=1), made.sample(20, seed=1))
    batch = tiny.graphs(5, 6)
    assert torch.allclose(again.code_log_prob(batch), made.code_log_prob(batch))


@pytest.mark.parametrize("kind", KINDS)
def test_training_reaches_every_parameter(kind: str) -> None:
    refiner = model(kind).refiner.train()
    if kind == "latent":
        tokens = refiner.tokenizer.requires_grad_(True)
        tokens((tiny.graphs(16, 6),), tiny.names(16))["loss"].backward()
    refiner((tiny.graphs(16, 6),), tiny.names(16))["loss"].backward()
    missing = [name for name, p in refiner.named_parameters() if p.grad is None]
    assert not missing


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
    masked, latent, contraction = model("masked"), model("latent"), trained.load("qm9")
    with pytest.raises(InputError, match="calls of a contraction follow from the size"):
        contraction.sample(1, calls=4)
    with pytest.raises(InputError, match="only the kind 'contraction' has it"):
        masked.sample(1, parallel="all")
    with pytest.raises(InputError, match="only the kind 'masked' has it"):
        latent.sample(1, order="confidence")
    with pytest.raises(InputError, match="only the kind 'contraction' has it"):
        latent.sample(1, restarts=2)
    with pytest.raises(InputError, match="expected 4 at least: one for the slots"):
        latent.sample(1, calls=3)
    with pytest.raises(InputError, match="Found 0 network calls"):
        masked.sample(1, calls=0)
    with pytest.raises(InputError, match="Found -1 restarts"):
        contraction.sample(1, restarts=-1)
    with pytest.raises(InputError, match="cannot extend a scaffold"):
        masked.sample(1, scaffold="CCO")
    with pytest.raises(InputError, match="takes no properties"):
        masked.sample(1, where={"logp": 1.0})
    with pytest.raises(InputError, match="takes no properties: leave"):
        build(ModelConfig(kind="masked"), Vocabulary(), (3, 3), properties=1, sizes=SIZES)
    with pytest.raises(InputError, match="expected how many graphs have"):
        build(ModelConfig(kind="latent"), Vocabulary(), (3, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on_where_it_was(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "few.smi").write_text("\n".join(["CCO", "CC(N)=O", "C1CC1O", "CC#N"] * 8) + "\n")
    opt = Optimisation(epochs=1, batch=8)
    settings = ModelConfig(
        kind=kind,  # type: ignore[arg-type]
        dim=16,
        depth=1,
        heads=2,
        latent=replace(LATENT, training=opt),
        training=opt,
    )
    config = GraphsConfig("tiny", 0, DataConfig(str(tmp_path / "few.smi")), settings)
    first = train(config, tmp_path / "runs", quiet=True)
    again = train(config, tmp_path / "runs", quiet=True)
    assert equal(first.sample(10), again.sample(10))
    assert len(first.smiles(first.sample(5))) == 5
