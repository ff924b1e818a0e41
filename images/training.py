"""Training a tokeniser, then a generator over its codes."""

from pathlib import Path

import torch

from images.build import build, build_tokenizer
from images.code_metrics import code_bits, tokenizer_metrics
from images.config import ImagesConfig
from images.data.load import Images
from images.model import ImageModel
from refine_core.data import Tensors
from refine_core.noise import derive
from refine_core.refiner import Refiner
from refine_core.residual import ResidualTokenizer
from refine_core.training.fit import fit
from refine_core.training.runs import Run


def train(
    config: ImagesConfig, images: Images, runs: Path = Path("runs"), *, quiet: bool = False
) -> ImageModel:
    """Train tokeniser, then generator; continue where an earlier call was stopped.

    Everything goes to `runs/<config.name>/`; the result is `model.safetensors` there.

    Raises:
        InputError: The folder holds a run with another seed, configuration or data.
    """
    folder = runs / config.name
    torch.manual_seed(derive(config.seed, 1))
    channels, height, width = images.shape
    tokens = build_tokenizer(config.tokenizer, channels, (height, width))
    train_images, test_images = images.train.images, images.test.images
    labels, test_labels = images.train.labels, images.test.labels
    data = Tensors(train_images) if labels is None else Tensors(train_images, labels)
    digest = data.digest()
    fitted, _ = fit(
        tokens,
        Tensors(train_images),
        config.tokenizer.training,
        seed=derive(config.seed, 2),
        run=Run.start(folder / "tokenizer", config.tokenizer, config.seed, digest),
        validate=lambda module: tokenizer_metrics(module, test_images),
        title="tokenizer",
        quiet=quiet,
    )
    assert isinstance(fitted, ResidualTokenizer)
    torch.manual_seed(derive(config.seed, 3))
    refiner = build(config.generator, fitted, images.classes)
    refined, _ = fit(
        refiner,
        data,
        config.generator.training,
        seed=derive(config.seed, 4),
        run=Run.start(folder / "generator", config, config.seed, digest),
        validate=lambda module: {"test_bits": code_bits(module, test_images, test_labels)},
        title="generator",
        quiet=quiet,
    )
    assert isinstance(refined, Refiner)
    model = ImageModel(refined, config, images.shape, images.classes)
    model.save(folder / "model.safetensors")
    return model
