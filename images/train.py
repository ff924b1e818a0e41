"""Training a tokeniser, then a generator over its codes."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from images.config import ImagesConfig
from images.data import Images
from images.metrics import mse
from images.model import build, build_tokenizer
from images.trained import ImageModel
from refine_core.data import Tensors
from refine_core.noise import derive
from refine_core.refiner import Refiner
from refine_core.residual import ResidualTokenizer
from refine_core.runs import Run
from refine_core.training import fit
from refine_core.usage import Usage


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


@torch.no_grad()
def tokenizer_metrics(tokens: nn.Module, images: Tensor) -> dict[str, float]:
    """Mean squared error on images, and usage and perplexity of every scale's codes."""
    assert isinstance(tokens, ResidualTokenizer)
    usages = usage(tokens, images)
    error = 0.0
    for part in images.split(500):
        decoded = tokens.decode(tokens.encode(part.to(_device(tokens))))
        error += mse(decoded.cpu(), part) * len(part)
    return {
        "test_mse": error / len(images),
        **{f"usage_{k}": each.fraction for k, each in enumerate(usages)},
        **{f"perplexity_{k}": each.perplexity for k, each in enumerate(usages)},
    }


def usage(tokens: ResidualTokenizer, images: Tensor) -> list[Usage]:
    """Counts of the codes of each scale over images."""
    scales = range(len(tokens.schedule))
    usages = [Usage(tokens.digits(k), tokens.digit_values(k)) for k in scales]
    for part in images.split(500):
        for each, code in zip(usages, tokens.encode(part.to(_device(tokens))), strict=True):
            each.add(code)
    return usages


@torch.no_grad()
def code_bits(refiner: nn.Module, images: Tensor, labels: Tensor | None) -> float:
    """Mean negative log-likelihood of the codes, in bits per image."""
    assert isinstance(refiner, Refiner)
    total = 0.0
    for index in torch.arange(len(images)).split(500):
        given = None if labels is None else labels[index].to(_device(refiner))
        x = images[index].to(_device(refiner))
        total -= float(refiner.code_log_prob(x, given).sum())
    return total / len(images) / math.log(2)


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
