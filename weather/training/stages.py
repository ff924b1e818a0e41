"""The stages of training, and what they measure between them."""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from refine_core.data import Batch
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer
from refine_core.training.stages import Stages
from weather.config import WeatherConfig
from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.forecaster.build import build_mean
from weather.forecaster.forecaster import Forecaster
from weather.forecaster.mean import MeanModel
from weather.forecaster.refinement import RefineHead
from weather.forecaster.tokenizer import start_from_principal_components


class TokenizerTraining(nn.Module):
    """Trains a tokeniser on the residuals of a forecaster whose head is not trained yet."""

    def __init__(self, forecaster: Forecaster, tokenizer: nn.Module) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.forecaster = [forecaster]  # in a list, so that its weights are not trained or saved

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """The tokeniser's losses."""
        forecaster = self.forecaster[0].train(self.training)
        self.tokenizer.train(self.training)  # which is part of the head, and frozen there
        residual, _ = forecaster.residual(batch, noise)
        losses: dict[str, Tensor] = self.tokenizer((residual,), noise)
        return losses

    def after_step(self) -> None:
        """Update the codebooks."""
        self.tokenizer.after_step()  # type: ignore[operator]


JUDGED = 256  # validation windows that each epoch is judged by


ESTIMATED = 1024  # training windows that covariances are estimated from


def _mean(config: WeatherConfig, data: Prepared, stages: Stages) -> MeanModel:
    """Train the mean."""
    with stages.seeded(0):
        mean = build_mean(config.mean, data)
    held = judged(Windows(data, "validation"))

    def validate(module: MeanModel) -> dict[str, float]:
        given, future, _ = module.prepare(held, Noise(0, torch.arange(len(held[0]))))
        error = future - module.mean(given, module.situation(given))
        area = module.get_buffer("area")
        rmse = (error.square() * area).mean((0, 2, 3)).sqrt() * torch.from_numpy(
            data.statistics.std
        )
        share = ((error / module.get_buffer("change")).square() * area).mean()
        names = [channel.name for channel in data.channels]
        return {"validation": float(share), **dict(zip(names, rmse.tolist(), strict=True))}

    return stages.train(
        mean,
        Windows(data, "train"),
        config.mean.training,
        stream=1,
        config=config,
        name="mean",
        validate=validate,
        title="weather: mean",
    )


def _tokenizer(
    config: WeatherConfig,
    forecaster: Forecaster,
    head: RefineHead,
    windows: Windows,
    held: tuple[Tensor, ...],
    stages: Stages,
) -> None:
    """Train the head's tokeniser, and put the averaged weights into it."""
    tokenizer = cast(ResidualTokenizer, head.refiner.tokenizer)
    tokenizer.decoder.requires_grad_(True)
    residuals = torch.cat([r for r, _ in _residuals(forecaster, windows, ESTIMATED)])
    start_from_principal_components(tokenizer, residuals)
    fitted = stages.train(
        TokenizerTraining(forecaster, tokenizer),
        windows,
        config.head.tokenizer.training,
        stream=4,
        config=config,
        name="tokenizer",
        validate=lambda module: _losses(module, held),
        title="weather: tokeniser",
    )
    tokenizer.load_state_dict(fitted.tokenizer.state_dict())
    tokenizer.requires_grad_(False)


def judged(windows: Windows, count: int = JUDGED) -> tuple[Tensor, ...]:
    """At most `count` windows, spread over the part."""
    index = np.linspace(0, len(windows) - 1, min(count, len(windows)))
    return windows[torch.from_numpy(index.round().astype(np.int64))]


def _losses(module: nn.Module, held: tuple[Tensor, ...]) -> dict[str, float]:
    """Validation losses."""
    losses = module(held, Noise(0, torch.arange(len(held[0]))))
    return {f"validation_{name}": float(value) for name, value in losses.items()}


@torch.no_grad()
def error_scale(mean: MeanModel, windows: Windows) -> Tensor:
    """(C, H, 1) zonal standard deviation of the mean's errors on a part of the data."""
    total, count = torch.zeros(()), 0
    for index in torch.arange(min(ESTIMATED, len(windows))).split(64):
        batch = windows[index * (len(windows) // min(ESTIMATED, len(windows)))]
        given, future, _ = mean.eval().prepare(batch, Noise(0, index))
        error = future - mean.mean(given, mean.situation(given))
        total = total + error.square().sum(0).mean(-1, keepdim=True)
        count += len(index)
    return (total / count).sqrt()


@torch.no_grad()
def _residuals(
    forecaster: Forecaster, windows: Windows, count: int
) -> list[tuple[Tensor, object]]:
    """Scaled residuals of training windows spread over the part, in batches."""
    count = min(count, len(windows))
    step = len(windows) // count
    return [
        forecaster.eval().residual(windows[index * step], Noise(0, index), seen=True)
        for index in torch.arange(count).split(64)
    ]
