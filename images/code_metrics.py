"""How well a tokeniser reconstructs, how many of its codes are used, and their likelihood."""

import math

import torch
from torch import Tensor, nn

from refine_core.quantizers.usage import Usage
from refine_core.refiner import Refiner
from refine_core.residual import ResidualTokenizer


@torch.no_grad()
def tokenizer_metrics(tokens: nn.Module, images: Tensor) -> dict[str, float]:
    """Mean squared error on images, and usage and perplexity of every scale's codes."""
    assert isinstance(tokens, ResidualTokenizer)
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
