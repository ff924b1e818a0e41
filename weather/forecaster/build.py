"""TODO."""

import numpy as np
import torch
from torch import Tensor, nn

from weather.config import DataConfig, HeadConfig, WeatherConfig, channels
from weather.data.prepare import Prepared, Statistics
from weather.fields.grid import Grid
from weather.fields.variables import nonnegative
from weather.forecaster.controls import CRPSHead, DiffusionHead, GaussianHead, NoHead
from weather.forecaster.mean import MeanModel
from weather.forecaster.refinement import RefineHead
from weather.forecaster.tokenizer import build_tokenizer


def build_mean(
    config: WeatherConfig, grid: Grid, static: Tensor, statistics: Statistics
) -> MeanModel:
    """An untrained mean for data of these statistics."""
    change = torch.from_numpy(statistics.residual_std / statistics.std).float()
    return _mean(config, grid, static, change)


def _mean(config: WeatherConfig, grid: Grid, static: Tensor, change: Tensor) -> MeanModel:
    data = config.data
    return MeanModel(grid, static, change, data.history, len(data.forcing), config.mean)


def normalised_static(data: Prepared) -> Tensor:
    """(S, H, W) static fields of mean 0 and standard deviation 1."""
    statistics = data.statistics
    mean, std = statistics.static_mean[:, None, None], statistics.static_std[:, None, None]
    return torch.from_numpy(np.asarray((data.static - mean) / std)).float()


def winds(data: DataConfig) -> list[bool]:
    """(C,) whether a channel is a component of the wind."""
    return ["component_of_wind" in channel.variable for channel in channels(data)]


def lower_limits(data: Prepared) -> Tensor:
    """(C,) normalised zero of channels that cannot be negative, else minus infinity."""
    zero = torch.from_numpy(-data.statistics.mean / data.statistics.std).float()
    positive = torch.tensor([nonnegative(channel.variable) for channel in data.channels])
    return torch.where(positive, zero, -torch.inf)


def build_head(config: HeadConfig, grid: Grid, channels: int, mean: MeanModel) -> nn.Module:
    """Head of a kind for residuals of `channels` maps.

    Raises:
        InputError: If sizes do not fit together.
    """
    inputs = mean.inputs + channels
    if config.kind == "refine":
        tokenizer = build_tokenizer(config.tokenizer, grid, channels)
        return RefineHead(tokenizer, inputs, mean.network.position.shape[1], config)
    if config.kind == "diffusion":
        return DiffusionHead(grid, inputs, channels, config)
    if config.kind == "crps":
        return CRPSHead(grid, inputs, channels, config)
    return GaussianHead(grid, channels) if config.kind == "gaussian" else NoHead(channels, grid)
