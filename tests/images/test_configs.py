"""Every shipped config loads, and trains for two steps."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from images.config import ImagesConfig
from images.data.load import Images, LabelledImages
from images.experiments import AblationConfig
from images.training import train
from refine_core.config.schema import load
from refine_core.training.config import Optimisation

FOLDER = Path(__file__).parents[2] / "configs" / "images"
ABLATIONS = sorted(FOLDER.glob("paper*.yaml"))
MODELS = sorted(set(FOLDER.glob("*.yaml")) - set(ABLATIONS))


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_two_steps(path: Path, tmp_path: Path) -> None:
    config = load(ImagesConfig, path)
    pixels = torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    part = LabelledImages(pixels, torch.arange(16) % 10)
    images = Images(part, part, classes=10)
    two_steps = Optimisation(epochs=1, batch=8)
    quick = replace(
        config,
        tokenizer=replace(config.tokenizer, training=two_steps),
        generator=replace(config.generator, training=two_steps),
    )
    model = train(quick, images, tmp_path, quiet=True)
    assert model.sample(2).isfinite().all()


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda p: p.stem)
def test_ablations_load(path: Path) -> None:
    assert load(AblationConfig, path).seeds
