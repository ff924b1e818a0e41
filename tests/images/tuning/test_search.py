"""Searching over settings of sampling and of training, and calibration, on stripes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from images.config import ImagesConfig
from images.data.load import Images, LabelledImages
from images.model import ImageModel, load
from images.training import train
from images.tuning.calibration import calibrate
from images.tuning.config import SearchConfig
from images.tuning.search import search
from refine_core.config.schema import load as load_config
from refine_core.errors import InputError
from tests.images.tiny import CONFIG, IMAGES
from tests.images.tuning.test_comparison import BASE, CONFIGS, Stripes


def test_settings_of_sampling(model: ImageModel, runs: Path, tmp_path: Path) -> None:
    config = SearchConfig(
        model=str(runs / "tiny"),
        space={"sampling.guidance": ([0.0], [1.0]), "sampling.temperature": ([1.0], [0.5])},
        trials=4,
        fidelities=(16, 32),
        budget=1e9,
        accuracy=0.0,
    )
    best = search(config, IMAGES, Stripes(), tmp_path)
    rows = json.loads((tmp_path / "trials.json").read_text())["trials"]
    full = [row for row in rows if row["fidelity"] == 32]
    assert best.score == min(row["score"] for row in full) and len(rows) >= 5
    chosen = load_config(ImagesConfig, tmp_path / "best.yaml")
    assert list(chosen.sampling.guidance) == best.settings["sampling.guidance"]
    saved = load(tmp_path / "model.safetensors")
    assert saved.config == chosen and saved.sample(2).shape == (2, 1, 11, 12)
    cost = sum(row["cost"] for row in rows)
    assert cost == sum(row["fidelity"] * len(model.schedule) for row in rows)
    assert search(config, IMAGES, Stripes(), tmp_path) == best
    fewer = replace(IMAGES, train=IMAGES.train[:100])
    for other, images in ((replace(config, accuracy=0.5), IMAGES), (config, fewer)):
        with pytest.raises(InputError, match="trials of another model, data or score"):
            search(other, images, Stripes(), tmp_path)


def test_settings_of_training(tmp_path: Path) -> None:
    config = SearchConfig(
        base=BASE,
        space={"tokenizer.parts": ([1, 1, 1], [1, 1, 2]), "sampling.guidance": ([0.0], [0.5])},
        trials=2,
        fidelities=(1, 2),
        budget=3,
        samples=16,
        accuracy=0.0,
    )
    best = search(config, IMAGES, Stripes(), tmp_path)
    rows = json.loads((tmp_path / "trials.json").read_text())["trials"]
    assert [row["fidelity"] for row in rows] == [1, 1, 2] and best.fidelity == 2
    assert len(list((tmp_path / "runs").iterdir())) == 2, "a point that is trained on goes on"
    again = search(config, IMAGES, Stripes(), tmp_path)
    assert again == best


def test_training_is_not_searched_over_for_a_trained_model() -> None:
    with pytest.raises(InputError, match="leave `model` out, or search over these"):
        SearchConfig(model="mnist", space={"generator.dim": (8, 16)})
    with pytest.raises(InputError, match="expected a list of values to try"):
        SearchConfig(space={"generator.dim": ()})


def test_the_shipped_search_is_sound() -> None:
    config = load_config(SearchConfig, CONFIGS / "search.yaml")
    assert config.model == "mnist" and len(config.space) == 3


def test_held_out_images_are_not_trained_on(tmp_path: Path) -> None:
    kept, held_out = IMAGES.split(32)
    assert len(kept.train) == 96 and torch.equal(held_out.images, IMAGES.train.images[96:])
    other = LabelledImages(IMAGES.train.images.clone(), IMAGES.train.labels)
    other.images[96:] = 0
    changed = Images(other, IMAGES.test, 2)
    models = [
        train(replace(BASE, name=name), images, tmp_path, quiet=True)
        for name, images in (("a", IMAGES), ("b", changed))
    ]
    assert torch.equal(*(model.sample(2) for model in models))
    with pytest.raises(InputError, match="Found `holdout` 128 for 128 training images"):
        IMAGES.split(128)
    assert IMAGES.split(0)[0] is IMAGES


def test_calibration(model: ImageModel) -> None:
    images = IMAGES.test
    plain = model.with_sampling(guidance=(0.0,))
    for by in ("likelihood", "entropy"):
        found = calibrate(plain, images, by=by, coverage=0.95, batch=20)
        sampling = found.config.sampling
        assert len(sampling.temperature) == len(sampling.top_k) == len(model.schedule)
        assert all(0.25 <= t <= 4 for t in sampling.temperature)
        assert all(k is not None and 1 <= k <= 8 for k in sampling.top_k)
        assert found.sample(3).shape == (3, 1, 11, 12)
    assert torch.equal(plain.sample(2), model.with_sampling(guidance=(0.0,)).sample(2))
    with pytest.raises(InputError, match="expected one or more of"):
        calibrate(model, LabelledImages(torch.zeros(3, 1, 5, 5), None))
    assert CONFIG.sampling.top_k == (None,)
