"""The stages of training: the mean, the tokeniser of its errors, and the head."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from refine_core.noise import Noise
from refine_core.training.data import Batch
from refine_core.training.stages import Stages
from weather.config import WeatherConfig
from weather.data.prepared import Prepared
from weather.data.windows import AT_ONCE, Windows
from weather.forecaster.build import build_mean
from weather.forecaster.forecaster import Forecaster
from weather.forecaster.mean import MeanModel
from weather.forecaster.refinement import RefineHead
from weather.forecaster.tokenizer import start_from_principal_components
from weather.training.errors import scaled_residuals

VALIDATED = 256
"""Validation windows after each epoch."""


@torch.no_grad()
def validation_means(
    windows: Windows,
    module: nn.Module,
    measure: Callable[[Batch, Noise], Mapping[str, Tensor]],
) -> dict[str, Tensor]:
    """Means over some windows, spread evenly, of what `measure` says, on the module's device."""
    index, device = windows.evenly(VALIDATED), next(module.parameters()).device
    total: dict[str, Tensor] = {}
    done = 0
    for places in torch.arange(len(index)).split(windows.within(AT_ONCE)):
        batch = tuple(each.to(device) for each in windows[index[places]])
        for name, value in measure(batch, Noise(0, places.to(device))).items():
            total[name] = total.get(name, 0) + len(places) * value.cpu().double()
        done += len(places)
    return {name: value / done for name, value in total.items()}


def validation_losses(windows: Windows, module: nn.Module) -> dict[str, float]:
    """Losses of a module on windows, after each epoch of its training."""
    means = validation_means(windows, module, module)
    means.pop("count", None)
    return {f"validation_{name}": float(value) for name, value in means.items()}


def train_mean(
    config: WeatherConfig, data: Prepared, validation: Windows, stages: Stages
) -> MeanModel:
    """Train the mean of the next state."""
    with stages.seeded(0):
        mean = build_mean(config.mean, data)

    def validate(module: MeanModel) -> dict[str, float]:
        """The validation loss, and the root mean square error of each channel in SI units."""

        def measure(batch: Batch, noise: Noise) -> dict[str, Tensor]:
            error = module.errors(batch, noise)
            square = (error.square() * module.get_buffer("area")).mean((0, 2, 3))
            return {"loss": module.relative(error), "square": square}

        means = validation_means(validation, module, measure)
        rmse = means["square"].sqrt() * torch.from_numpy(data.statistics.std)
        names = [channel.name for channel in data.channels]
        by_channel = dict(zip(names, rmse.tolist(), strict=True))
        return {"validation": float(means["loss"]), **by_channel}

    return stages.train(
        mean,
        Windows(data, "train"),
        config.mean.training,
        stream=1,
        config={"data": config.data, "mean": config.mean},
        name="mean",
        validate=validate,
        title="weather: mean",
    )


class TokenizerTraining(nn.Module):
    """Trains a tokeniser on the residuals of a forecaster whose head is not trained yet."""

    def __init__(self, forecaster: Forecaster, tokenizer: nn.Module) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.forecaster = [forecaster]  # in a list, so that its weights are not trained or saved

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """The tokeniser's losses."""
        forecaster = self.forecaster[0].train(self.training)
        if forecaster.device != batch[0].device:
            forecaster.to(batch[0].device)
        self.tokenizer.train(self.training)  # as part of the head it is in evaluation mode
        residual, _ = forecaster.residual(batch, noise)
        losses: dict[str, Tensor] = self.tokenizer((residual,), noise)
        return losses

    def after_step(self) -> None:
        """Update the codebooks."""
        self.tokenizer.after_step()  # type: ignore[operator]


def train_tokenizer(
    config: WeatherConfig,
    forecaster: Forecaster,
    head: RefineHead,
    windows: Windows,
    validation: Windows,
    stages: Stages,
) -> None:
    """Train the head's tokeniser in place; its weights are averaged and frozen afterwards."""
    tokenizer = head.tokenizer
    tokenizer.decoder.requires_grad_(True)
    start_from_principal_components(tokenizer, scaled_residuals(forecaster, windows))
    depends = {"data": config.data, "mean": config.mean, "mean_from": config.mean_from}
    trained = stages.train(
        TokenizerTraining(forecaster, tokenizer),
        windows,
        config.head.tokenizer.training,
        stream=4,
        config=depends | {"tokenizer": config.head.tokenizer},
        name="tokenizer",
        validate=partial(validation_losses, validation),
        title="weather: tokeniser",
    )
    tokenizer.load_state_dict(trained.tokenizer.state_dict())
    tokenizer.requires_grad_(False)


def train_head(
    config: WeatherConfig,
    forecaster: Forecaster,
    windows: Windows,
    validation: Windows,
    stages: Stages,
) -> Forecaster:
    """Train the head of a forecaster; return it with averaged weights."""
    return stages.train(
        forecaster,
        windows,
        config.head.network.training,
        stream=3,
        config=config,
        name="head",
        validate=partial(validation_losses, validation),
        title=f"weather: {config.head.kind}",
    )
