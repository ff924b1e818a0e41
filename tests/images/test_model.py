"""The images model end to end on tiny data: train, save, load, sample, edit, evaluate."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from images import model as trained
from images.build import build, build_tokenizer
from images.config import GeneratorConfig, ImagesConfig, SamplingConfig, TokenizerConfig
from images.data.load import Images, LabelledImages
from images.evaluation.classifier import Evaluator
from images.evaluation.report import evaluate, markdown
from images.model import ImageModel
from images.training import train
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.training.config import Optimisation

TRAINING = Optimisation(epochs=2, batch=16, ema=0.9)
CONFIG = ImagesConfig(
    name="tiny",
    tokenizer=TokenizerConfig(
        sizes=(1, 2, 4), codes=(4, 8, 8), dim=4, width=8, patch=3, training=TRAINING
    ),
    generator=GeneratorConfig(dim=16, depth=1, heads=2, training=TRAINING),
    sampling=SamplingConfig(guidance=(0.5,)),
)


def stripes(count: int, seed: int) -> LabelledImages:
    """Class 0 has horizontal, class 1 vertical stripes of random phase; 11 x 12 pixels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    phase = torch.randint(6, (count, 1, 1), generator=generator)
    rows, columns = torch.arange(11)[None, :, None], torch.arange(12)[None, None]
    place = torch.where(labels[:, None, None] == 0, rows, columns) + phase
    return LabelledImages(((place % 6) < 3).float()[:, None], labels)


IMAGES = Images(stripes(128, 0), stripes(64, 1), 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ImageModel:
    return train(CONFIG, IMAGES, tmp_path_factory.mktemp("runs"), quiet=True)


def test_saved_model_is_the_same(model: ImageModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors", half=False)
    again = trained.load(tmp_path)
    assert again.config == model.config and again.shape == (1, 11, 12)
    assert torch.equal(again.sample(4, seed=1), model.sample(4, seed=1))
    model.save(tmp_path / "half.safetensors")
    close = trained.load(tmp_path / "half.safetensors").reconstruct(IMAGES.test.images)
    assert (close - model.reconstruct(IMAGES.test.images)).abs().mean() < 1e-2


def test_training_is_continued_not_repeated(tmp_path: Path) -> None:
    first = train(CONFIG, IMAGES, tmp_path, quiet=True)
    changed = replace(CONFIG, seed=1)
    with pytest.raises(InputError, match="another seed"):
        train(changed, IMAGES, tmp_path, quiet=True)
    again = train(CONFIG, IMAGES, tmp_path, quiet=True)
    assert torch.equal(first.sample(3), again.sample(3))


def test_samples_depend_on_seed_and_index_only(model: ImageModel) -> None:
    whole = model.sample(10, seed=5)
    assert torch.allclose(model.sample(10, seed=5, batch=3), whole, atol=1e-6)
    assert torch.allclose(model.sample(4, seed=5), whole[:4], atol=1e-6)
    assert not torch.allclose(model.sample(10, seed=6), whole, atol=1e-2)


def test_inpainting_leaves_the_rest(model: ImageModel) -> None:
    images = IMAGES.test.images[:5]
    mask = torch.zeros(11, 12, dtype=torch.bool)
    mask[:6, :6] = True
    drawn = model.inpaint(images, mask, labels=0)
    assert torch.equal(drawn[..., ~mask], images[..., ~mask])
    assert not torch.allclose(drawn[..., mask], images[..., mask], atol=1e-2)
    untouched = model.inpaint(images, torch.zeros_like(mask))
    assert torch.equal(untouched, images)


def test_super_resolution_keeps_the_coarse_codes(model: ImageModel) -> None:
    images = IMAGES.test.images[:5]
    whole = model.super_resolve(images, 3)
    assert torch.allclose(whole, model.reconstruct(images), atol=1e-6)
    with pytest.raises(InputError, match="Found 4 scales to keep, expected a number from 0 to 3"):
        model.super_resolve(images, 4)


def test_labels_are_checked(model: ImageModel) -> None:
    with pytest.raises(InputError, match="0 to 1, found"):
        model.sample(4, labels=2)
    with pytest.raises(InputError, match="3 labels for 4 images"):
        model.sample(4, labels=[0, 1, 0])


def test_evaluation(model: ImageModel, tmp_path: Path) -> None:
    torch.manual_seed(0)
    judge = Evaluator(1, (11, 12), 2)
    report = evaluate(model, IMAGES, tmp_path, samples=64, judge=judge)
    pictures = {path.name for path in tmp_path.glob("*.png")}
    assert pictures == {"samples.png", "filmstrip.png", "usage.png", "comparison.png"}
    assert (tmp_path / "REPORT.md").read_text() == markdown(report)
    assert report["floor"]["frechet"] < report["generator"]["frechet"]
    other = LabelledImages(torch.zeros(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(InputError, match="makes images of shape"):
        evaluate(model, Images(other, other, 1), judge=judge)


@pytest.mark.parametrize(
    "changes",
    [
        {"quantizer": "fsq", "levels": (5, 4, 3)},
        {"quantizer": "bitwise", "dim": 6},
        {"quantizer": "product", "groups": 2},
        {"codebooks": "shared", "codes": (8,)},
        {"codebooks": "base"},
        {"loop": "open", "sizes": (1, 2, 4), "phi": False},
    ],
    ids=str,
)
def test_every_kind_of_tokeniser(changes: dict[str, Any]) -> None:
    config = replace(CONFIG.tokenizer, **changes)
    tokens = build_tokenizer(config, 1, (11, 12)).train()
    x = IMAGES.train.images[:32]
    for step in range(2):
        tokens((x,), Noise(step, torch.arange(32)))["loss"].backward()
        tokens.after_step()
    refiner = build(CONFIG.generator, tokens.eval(), 2)
    refiner((x, IMAGES.train.labels[:32]), Noise(0, torch.arange(32)))["loss"].backward()  # type: ignore[index]
    drawn = refiner.eval().sample(Noise(0, torch.arange(3)), torch.tensor([0, 1, -1]))
    assert drawn.shape == (3, 1, 11, 12) and drawn.isfinite().all()


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="must end with 4, found 7"):
        build_tokenizer(replace(CONFIG.tokenizer, sizes=(1, 7)), 1, (11, 12))
    with pytest.raises(InputError, match="2 values for 3 scales"):
        build_tokenizer(replace(CONFIG.tokenizer, codes=(4, 8)), 1, (11, 12))
