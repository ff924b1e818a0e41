"""On another device: samples and probabilities of the CPU, and trainings of every domain.

What needs no training runs on a pretended device, too, which shows tensors that are left behind.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import graphs
import images
import weather
from graphs.config import GraphsConfig
from graphs.generators.contraction.config import ContractionConfig
from refine_core.config.schema import load
from refine_core.noise import Noise
from refine_core.training.config import Optimisation
from tests.images.tiny import CONFIG, IMAGES
from tests.pretend import DEVICE, pretend
from tests.weather import tiny
from weather.forecast.initial_states import InitialStates
from weather.samples import STATES
from weather.training.run import train as train_weather

PLACES = [
    pytest.param(DEVICE, id="pretended"),
    pytest.param(torch.device("cuda"), marks=pytest.mark.gpu, id="cuda"),
]


@pytest.fixture(params=PLACES)
def there(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """A device that is not the CPU."""
    place: torch.device = request.param
    if place != DEVICE:
        yield place
        return
    with pretend():
        yield place


def test_images(there: torch.device) -> None:
    model, labels = images.load("mnist"), torch.arange(4)
    drawn = model.sample(4, labels=labels)
    nats = model.refiner.code_log_prob(drawn, labels).sum(1).detach()
    mask = torch.zeros(28, 28, dtype=torch.bool)
    mask[:14] = True
    filled = model.inpaint(drawn, mask, labels=labels)
    model.refiner.to(there)
    assert model.device.type == there.type
    given = (drawn.to(there), labels.to(there))
    again = model.refiner.code_log_prob(*given).sum(1).detach().cpu()
    np.testing.assert_allclose(again, nats, atol=0.05)
    # A code near the border of two may fall to the other, and later ones with it.
    for ours, theirs in (
        (model.sample(4, labels=labels), drawn),
        (model.inpaint(drawn, mask, labels=labels), filled),
    ):
        assert ours.device.type == "cpu"
        assert float((ours - theirs).abs().mean(dim=(1, 2, 3)).median()) < 1e-3
    losses = model.refiner.train()(given, Noise.range(0, 4, there))
    losses["loss"].backward()
    assert float(losses["bits"]) > 0


def test_a_tokenizer_of_images_learns(there: torch.device) -> None:
    tokens = images.load("mnist").tokenizer.to(there).train().requires_grad_(True)
    before = [q.codebook.detach().cpu().clone() for q in tokens.quantizers]  # type: ignore[operator]
    pixels = torch.rand(4, 1, 28, 28).to(there)
    tokens((pixels,), Noise.range(0, 4, there))["loss"].backward()
    tokens.after_step()
    for quantizer, old in zip(tokens.quantizers, before, strict=True):
        assert not torch.equal(quantizer.codebook.detach().cpu(), old)  # type: ignore[operator]


def test_graphs(there: torch.device) -> None:
    model = graphs.load("qm9")
    drawn, grown = model.sample(4), model.sample(1, scaffold="c1cc[nH]c1", particles=2)
    nats = model.code_log_prob(drawn)
    model.refiner.to(there)
    np.testing.assert_allclose(model.code_log_prob(drawn), nats, atol=0.01)
    again = zip(model.smiles(model.sample(4)), model.smiles(drawn), strict=True)
    assert sum(ours == theirs for ours, theirs in again) >= 3
    more = model.sample(1, scaffold="c1cc[nH]c1", particles=2)
    if there == DEVICE:
        assert model.smiles(more) == model.smiles(grown)
    losses = model.refiner.train()((drawn.to(there),), Noise.range(0, 4, there))
    losses["loss"].backward()
    assert float(losses["bits"]) > 0


def test_graphs_of_properties_and_of_many_fragments(there: torch.device) -> None:
    asked = graphs.load("qm9_properties")
    drawn = asked.sample(3, where={"logp": 1.5}, guidance=1.0)
    asked.refiner.to(there)
    again = asked.smiles(asked.sample(3, where={"logp": 1.5}, guidance=1.0))
    assert sum(a == b for a, b in zip(again, asked.smiles(drawn), strict=True)) >= 2
    model = graphs.load("moses")
    large = model.sample(1)
    nats = model.code_log_prob(large)
    model.refiner.to(there)
    np.testing.assert_allclose(model.code_log_prob(large), nats, atol=0.02)
    assert len(model.sample(1)) == 1


def test_weather(there: torch.device) -> None:
    model = weather.load("gcm")
    start = np.datetime64("2019-11-15T00", "ns")
    states = InitialStates.open(str(STATES), model).states(start)
    expected, scale = list(model.rollout(states, start, members=2, steps=1)), model.std.numpy()
    model.forecaster.to(there)
    found = list(model.rollout(states, start, members=2, steps=1))
    error = np.asarray(found[0].values - expected[0].values)
    assert float(np.sqrt((error**2).mean((0, 2, 3)) / scale**2).max()) < 0.02


def test_nothing_of_images_waits_for_the_device() -> None:
    model, labels = images.load("mnist"), torch.arange(2)
    with pretend() as waits:
        model.refiner.to(DEVICE)
        model.sample(2, labels=labels)
        assert waits == {"_to_copy": 1}, "the images alone are fetched"
        waits.clear()
        pixels = torch.rand(2, 1, 28, 28).to(DEVICE)
        losses = model.refiner((pixels, labels.to(DEVICE)), Noise.range(0, 2, DEVICE))
        losses["loss"].backward()
        assert not waits


def test_images_and_molecules_need_no_double_precision() -> None:
    model, molecules = images.load("mnist"), graphs.load("qm9")
    with pretend(float64=False):
        model.refiner.to(DEVICE)
        assert len(model.sample(2)) == 2
        molecules.refiner.to(DEVICE)
        assert bool(molecules.code_log_prob(molecules.sample(2)).isfinite().all())


@pytest.mark.gpu
def test_images_train(tmp_path: Path) -> None:
    model = images.train(CONFIG, IMAGES, tmp_path, quiet=True)
    assert model.device.type == "cuda"
    assert images.load(tmp_path / CONFIG.name, "cpu").device.type == "cpu"


@pytest.mark.gpu
def test_graphs_train(tmp_path: Path) -> None:
    config = load(GraphsConfig, Path(__file__).parents[2] / "configs/graphs/tree.yaml")
    few = replace(config.data, count=16)
    opt = Optimisation(epochs=2, batch=4, precision="bf16-mixed")
    small = ContractionConfig(dim=16, depth=1, heads=2, training=opt)
    model = graphs.train(replace(config, data=few, model=small), tmp_path, quiet=True)
    assert model.device.type == "cuda"


@pytest.mark.gpu
def test_weather_trains(tmp_path: Path) -> None:
    for kind in ("deterministic", "refine"):
        model = train_weather(tiny.config(tmp_path, kind), tmp_path, quiet=True)
        assert model.forecaster.device.type == "cuda"
