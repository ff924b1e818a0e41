"""How well a tokeniser reconstructs, how many of its codes are used, and their likelihood."""

import math

import torch
from torch import Tensor, nn

from images.build import ImageRefiner
from refine_core.quantizers.usage import Usage
from refine_core.residual import ResidualTokenizer


@torch.no_grad()
def tokenizer_metrics(tokens: ResidualTokenizer, images: Tensor) -> dict[str, float]:
    """Mean squared error on images (n, c, h, w); usage and perplexity of each scale's codes."""
    usages = usage(tokens, images)
    error = 0.0
    for part in images.split(500):
        decoded = tokens.decode(tokens.encode(part.to(_device(tokens))))
        error += float((decoded.cpu() - part).double().square().mean()) * len(part)
    return {
        "test_mse": error / len(images),
        **{f"usage_{k}": each.fraction for k, each in enumerate(usages)},
        **{f"perplexity_{k}": each.perplexity for k, each in enumerate(usages)},
    }


def usage(tokens: ResidualTokenizer, images: Tensor) -> list[Usage]:
    """Counts of the codes of each scale over images (n, c, h, w)."""
    scales = range(len(tokens.schedule))
    usages = [Usage(tokens.digits(k), tokens.digit_values(k)) for k in scales]
    for part in images.split(500):
        for each, code in zip(usages, tokens.encode(part.to(_device(tokens))), strict=True):
            each.add(code)
    return usages


@torch.no_grad()
def code_bits(refiner: ImageRefiner, images: Tensor, labels: Tensor | None) -> float:
    """Mean negative log-likelihood of the codes of images (n, c, h, w), in bits per image."""
    total = 0.0
    for index in torch.arange(len(images)).split(500):
        given = None if labels is None else labels[index].to(_device(refiner))
        x = images[index].to(_device(refiner))
        total -= float(refiner.code_log_prob(x, given).sum())
    return total / len(images) / math.log(2)


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
